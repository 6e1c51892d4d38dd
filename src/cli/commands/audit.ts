import { InvalidArgumentError } from 'commander';
import { formatAuditProblem, verifyAudit } from '../../store/audit/audit-log.ts';
import { verifyCaptures } from '../../store/audit/captures.ts';
import { openStore } from '../../store/open-store.ts';
import { verifyArtefacts } from '../../store/verify-artefacts.ts';
import { withCommands } from '../called-as.ts';
import type { CommandModule } from '../command.ts';
import { palette } from '../print/palette.ts';
import { storeRoot } from '../store-root.ts';

interface VerifyFlags {
  readonly publicKey?: string;
  readonly witness?: { readonly sequence: number; readonly hash: string };
  readonly artefacts?: true;
  readonly json?: true;
}

export const command: CommandModule = {
  register(audit, context) {
    audit
      .command('verify')
      .description('recompute the chain and its signature; find any record that was altered, deleted or moved')
      .option('--public-key <key>', 'the key that must have signed it, as it was printed before')
      .option('--witness <sequence:hash>', 'a head printed before: it must stand in the log', readWitness)
      .option('--artefacts', 'read every artefact again too, and hold it against its record')
      .option('--json', 'print the verdict as JSON')
      .action(async ({ json, artefacts, ...known }: VerifyFlags) => {
        const root = storeRoot(context);
        const verdict = await verifyAudit({ root, ...known });
        // Answers are held against the log, so only a whole log can say anything of them.
        const captures = verdict.problems.length === 0 ? await verifyCaptures(root) : [];
        const held =
          artefacts && verdict.problems.length === 0
            ? await verifyArtefacts(await openStore({ root, clock: context.now, who: '' }))
            : null;
        const altered = held?.problems ?? [];
        const ok = verdict.problems.length === 0 && captures.length === 0 && altered.length === 0;
        if (!ok) context.setExitCode(1);
        if (json) {
          context.out(`${JSON.stringify({ ok, ...verdict, captures, artefacts: held })}\n`);
          return;
        }
        const colours = palette(context);
        const log = verdict.problems.map((problem) => `audit/${formatAuditProblem(problem)}`);
        const problems = [...log, ...captures, ...altered];
        for (const problem of problems) context.out(`${colours.red('✗')} ${problem}\n`);
        const { head } = verdict;
        if (head !== null) {
          context.out(`head       ${head.sequence}:${head.hash}\n`);
          context.out(`public key ${verdict.publicKey ?? 'unknown'}\n`);
        }
        const found = `${problems.length} problem${problems.length === 1 ? '' : 's'}`;
        const read = held ? `, ${held.artefacts} artefacts` : '';
        const line = `${verdict.records} records${read}, ${found}`;
        context.out(`${ok ? colours.green(line) : colours.red(line)}\n`);
        if (verdict.problems.length > 0)
          context.out(
            `Answers${artefacts ? ' and artefacts' : ''} were not looked at: a log that is not whole says nothing of them.\n`,
          );
        if (ok && !artefacts)
          context.out(
            colours.dim(withCommands('martlet audit verify --artefacts reads the artefacts again too\n', context)),
          );
      });
  },
};

function readWitness(text: string): { sequence: number; hash: string } {
  const [, sequence, hash] = /^(\d+):([0-9a-f]{64})$/.exec(text) ?? [];
  if (sequence === undefined || hash === undefined)
    throw new InvalidArgumentError('Give it as `martlet audit verify` prints it: sequence:hash.');
  return { sequence: Number(sequence), hash };
}
