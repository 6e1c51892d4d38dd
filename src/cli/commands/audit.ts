import { InvalidArgumentError } from 'commander';
import { formatAuditProblem, verifyAudit } from '../../store/audit-log.ts';
import { verifyCaptures } from '../../store/captures.ts';
import type { CommandModule } from '../command.ts';
import { palette } from '../print/palette.ts';
import { storeRoot } from '../store-root.ts';

interface VerifyFlags {
  readonly publicKey?: string;
  readonly witness?: { readonly sequence: number; readonly hash: string };
  readonly json?: true;
}

export const command: CommandModule = {
  register(audit, context) {
    audit
      .command('verify')
      .description('recompute the chain and its signature; find any record that was altered, deleted or moved')
      .option('--public-key <key>', 'the key that must have signed it, as it was printed before')
      .option('--witness <sequence:hash>', 'a head printed before: it must stand in the log', readWitness)
      .option('--json', 'print the verdict as JSON')
      .action(async ({ json, ...known }: VerifyFlags) => {
        const root = storeRoot(context);
        const verdict = await verifyAudit({ root, ...known });
        // Answers are held against the log, so only a whole log can say anything of them.
        const captures = verdict.problems.length === 0 ? await verifyCaptures(root) : [];
        const ok = verdict.problems.length === 0 && captures.length === 0;
        if (!ok) context.setExitCode(1);
        if (json) {
          context.out(`${JSON.stringify({ ok, ...verdict, captures })}\n`);
          return;
        }
        const colours = palette(context);
        const problems = [...verdict.problems.map((problem) => `audit/${formatAuditProblem(problem)}`), ...captures];
        for (const problem of problems) context.out(`${colours.red('✗')} ${problem}\n`);
        const { head } = verdict;
        if (head !== null) {
          context.out(`head       ${head.sequence}:${head.hash}\n`);
          context.out(`public key ${verdict.publicKey ?? 'unknown'}\n`);
        }
        const found = `${problems.length} problem${problems.length === 1 ? '' : 's'}`;
        const line = `${verdict.records} records, ${found}`;
        context.out(`${ok ? colours.green(line) : colours.red(line)}\n`);
      });
  },
};

function readWitness(text: string): { sequence: number; hash: string } {
  const [, sequence, hash] = /^(\d+):([0-9a-f]{64})$/.exec(text) ?? [];
  if (sequence === undefined || hash === undefined)
    throw new InvalidArgumentError('Give it as `martlet audit verify` prints it: sequence:hash.');
  return { sequence: Number(sequence), hash };
}
