import { InvalidArgumentError } from 'commander';
import { MartletError } from '../../core/error.ts';
import { formatCount, formatCounted } from '../../core/units.ts';
import { artefactAddress, type Json } from '../../schema/common.ts';
import { artefactKinds } from '../../schema/lineage.ts';
import { openStore } from '../../store/open-store.ts';
import type { Store } from '../../store/store.ts';
import type { TracedRow } from '../../store/trace/rows.ts';
import { type TracedStep, traceStep } from '../../store/trace/steps.ts';
import { type Hop, type Trace, traceAnswer } from '../../store/trace/trace.ts';
import type { CommandModule } from '../command.ts';
import type { CliContext } from '../context.ts';
import { type Palette, palette } from '../print/palette.ts';
import { storeRoot } from '../store-root.ts';
import { printable } from './review-print.ts';

interface TraceFlags {
  readonly rows: number;
  readonly step?: number;
  readonly json?: true;
}

export const command: CommandModule = {
  register(trace, context) {
    trace
      .argument('<answer>', 'the id of an answer, as the client got it; with --step, a run: name@n')
      .option('--step <n>', 'show the rows that this step of a run was computed from', wholeNumber)
      .option('--rows <n>', 'rows to show of those it learned from; all are checked', wholeNumber, 5)
      .option('--json', 'print the trace as JSON')
      .action(async (answer: string, { rows, step, json }: TraceFlags) => {
        const store = await openStore({ root: storeRoot(context), clock: context.now, who: '' });
        const [{ madeRows }, { sourceReading }] = await Promise.all([
          import('../../pipeline.ts'),
          import('../source-reading.ts'),
        ]);
        const made = { madeRows: (folder: string) => madeRows(folder, sourceReading(context)) };
        if (step !== undefined) {
          const traced = await traceStep(store, { run: answer, step, ...made }).catch(noAnswer(store, answer));
          context.out(json ? `${JSON.stringify(traced)}\n` : formatStep(traced, context));
          if (traced.problems.length > 0) context.setExitCode(1);
          return;
        }
        const traced = await traceAnswer(store, answer, { rows, ...made }).catch(noAnswer(store, answer));
        context.out(
          json ? `${JSON.stringify({ ...traced, traceComplete: traced.complete })}\n` : formatTrace(traced, context),
        );
        if (!traced.complete) context.setExitCode(1);
      });
  },
};

/** For whoever gives the address of an artefact where an answer is traced, or a run. */
const noAnswer =
  (store: Store, given: string) =>
  async (error: unknown): Promise<never> => {
    const isMissing = MartletError.is(error) && ['answer-missing', 'artefact-missing'].includes(error.code);
    if (!isMissing || !artefactAddress.safeParse(given).success) throw error;
    const there = await Promise.all(
      artefactKinds.map(async (kind) => ((await store.open(kind, given).catch(() => undefined)) ? [kind] : [])),
    );
    const kinds = there.flat();
    const hints = [
      ...(kinds.includes('run') ? [`The rows of a step of that run: martlet trace ${given} --step 1.`] : []),
      ...(kinds.includes('dataset') ? [`What became of the rows of that dataset: martlet data ledger ${given}.`] : []),
      'The id of an answer comes with it: martlet review --list.',
    ];
    const hint = kinds.length > 0 ? hints.join(' ') : error.hint;
    const what = kinds.length > 0 ? ` (${given} names ${kinds.join(', ')})` : '';
    throw new MartletError(error.code, `${error.message}${what}`, { hint, cause: error });
  };

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('Give a whole number.');
  return Number(text);
}

/** The hops as a tree, each below what led to it, then rows and verdict. */
export function formatTrace(trace: Trace, context: Pick<CliContext, 'colour'>): string {
  const colours = palette(context);
  const lines: string[] = [];
  const draw = (index: number, before: string, branch: string): void => {
    const hop = trace.hops[index];
    if (hop === undefined) return;
    lines.push(`${before}${branch}${hopLine(hop, colours)}`);
    const children = trace.hops.flatMap(({ parent }, child) => (parent === index ? [child] : []));
    const inner = before + (branch === '' ? '' : branch === '└ ' ? '  ' : '│ ');
    const rail = children.length > 0 ? '│ ' : '  ';
    for (const problem of hop.problems) lines.push(`${inner}${rail}  ${colours.red(printable(problem))}`);
    for (const [at, child] of children.entries()) draw(child, inner, at === children.length - 1 ? '└ ' : '├ ');
  };
  for (const [index, { parent }] of trace.hops.entries()) if (parent === null) draw(index, '', '');
  if (trace.rowCount > 0) {
    lines.push(
      '',
      `It learned from ${learnedRows(trace.rowCount, trace.shardRowCount)}; the first ${trace.rows.length}:`,
    );
    for (const row of trace.rows) lines.push(...rowLines(row, colours, stepsOf(row)));
  }
  const damaged = trace.hops.filter(({ ok }) => !ok).length;
  lines.push('');
  if (trace.complete) lines.push(colours.green('complete: every hash on the way is what it was'));
  else lines.push(colours.red(`not complete: ${damaged} of ${trace.hops.length} links do not hold`));
  return `${lines.join('\n')}\n`;
}

/** `48 of 113 rows`, where not all rows of the shards were computed; else `113 rows`. */
const learnedRows = (computed: number, all: number): string =>
  computed === all ? formatCounted(all, 'row') : `${formatCount(computed)} of ${formatCounted(all, 'row')}`;

/** A row, with what is said behind its place. */
function rowLines(row: Omit<TracedRow, 'steps'>, ...[colours, note]: [Palette, string]): string[] {
  const { file, line, sha256, ok, preview, origin } = row;
  return [
    `${mark(ok, colours)} ${file}:${line} ${colours.dim(sha256.slice(0, 12))}${note && `  ${note}`}`,
    `    ${colours.dim(printable(preview))}`,
    ...(origin ? [`    from ${printable(origin.file)}:${origin.line} ${colours.dim('(as the row states)')}`] : []),
  ];
}

/** Of many steps, so many are named. */
const shownSteps = 6;

function stepsOf({ steps }: TracedRow): string {
  if (steps.length === 0) return '';
  const more = steps.length > shownSteps ? ` and ${steps.length - shownSteps} more` : '';
  return `step${steps.length === 1 ? '' : 's'} ${steps.slice(0, shownSteps).join(', ')}${more}`;
}

/** The rows of a step, and what the run noted of it. */
export function formatStep(traced: TracedStep, context: Pick<CliContext, 'colour'>): string {
  const colours = palette(context);
  const { event, rows, problems } = traced;
  const tokens = rows.flatMap(({ documents }) => documents).reduce((sum, count) => sum + count, 0);
  const noted = event
    ? `, loss ${event.loss.toPrecision(6)}, ${event.learnedTokens} tokens learned`
    : ', not reached yet';
  return [
    `${colours.bold(`step ${traced.step} of ${traced.steps}`)} of run ${traced.run}, shards ${traced.shards}: ${rows.length} rows, ${tokens} tokens${noted}`,
    ...rows.flatMap((row) => rowLines(row, colours, placeOfStep(row))),
    ...problems.map((problem) => colours.red(printable(problem))),
    '',
    problems.length === 0
      ? colours.green('everything is what it was')
      : colours.red(`${problems.length} things do not hold`),
    '',
  ].join('\n');
}

function placeOfStep({ pack, documents, cutTokens }: TracedStep['rows'][number]): string {
  const cut = cutTokens > 0 ? `, cut by ${cutTokens}` : '';
  return `pack ${pack}, ${documents.join(' + ')} tokens${cut}`;
}

function hopLine(hop: Hop, colours: Palette): string {
  const hash = colours.dim(hop.fingerprint?.slice(0, 12) ?? '?');
  return `${mark(hop.ok, colours)} ${colours.bold(hop.kind)} ${printable(hop.address)} ${hash}  ${printable(factsOf(hop))}`.trimEnd();
}

function mark(ok: boolean, colours: Palette): string {
  return ok ? colours.green('✓') : colours.red('✗');
}

/** What a person wants to see of a hop; all of its facts stand in the JSON. */
function factsOf({ kind, facts }: Hop): string {
  const text = (key: string): string => shown(facts[key]);
  switch (kind) {
    case 'answer':
      return `${text('at')} by ${text('model')}: ${JSON.stringify(facts.answer ?? '')}`;
    case 'judgement':
      return `${text('verdict')} by ${text('by')} (${text('madeBy')})`;
    case 'deployment':
      return text('engine');
    case 'model':
      return `from ${text('checkpoint')}`;
    case 'run':
    case 'plan':
      return `plan ${text('planHash').slice(0, 12)}`;
    case 'shards':
      return learnedRows(Number(facts.trainedRows ?? 0), Number(facts.rows ?? 0));
    case 'dataset':
      return `${text('rows')} of ${text('rowsIn')} rows kept`;
    case 'feedback':
      return `${text('approved')} approved, ${text('edited')} edited`;
    case 'audit':
      return `${text('records')} records`;
    default:
      return '';
  }
}

function shown(value: Json | undefined): string {
  return typeof value === 'string' ? value : value === undefined ? '?' : JSON.stringify(value);
}
