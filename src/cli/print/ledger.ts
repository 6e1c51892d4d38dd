import { isAnswered } from '../../core/is-answered.ts';
import { formatCount } from '../../core/units.ts';
import { type DatasetDiff, placeOf, type RowStory, stepLabels } from '../../pipeline.ts';
import type { Dataset, LedgerEntry } from '../../schema/dataset.ts';
import type { Shards } from '../../schema/shards.ts';
import { type ShardStory, shardsAccount } from '../../store/shards/shard-story.ts';
import { printable } from '../commands/review-print.ts';
import type { CliContext } from '../context.ts';
import { palette } from './palette.ts';
import { formatTable } from './table.ts';

type Look = Pick<CliContext, 'colour' | 'columns'>;

const barWidth = 20;

/** The funnel: for each step rows in and out, then what ended there and why. */
export function printLedger(address: string, ...[dataset, look]: [Dataset, Look]): string {
  const colours = palette(look);
  const { rowsIn, fates, steps } = dataset;
  const bar = (rows: number): string => {
    const full = rowsIn === 0 ? 0 : Math.round((rows / rowsIn) * barWidth);
    return `${'█'.repeat(full)}${colours.dim('·'.repeat(barWidth - full))}`;
  };
  const labels = stepLabels(steps);
  const funnel = formatTable(
    [
      { title: 'step' },
      { title: 'in', align: 'right' },
      { title: 'out', align: 'right' },
      { title: 'noted', align: 'right' },
      { title: 'cut', align: 'right' },
      { title: '' },
    ],
    steps.map((step, index) => [
      labels[index] ?? step.step,
      formatCount(step.rowsIn),
      formatCount(step.rowsOut),
      step.changed > 0 ? formatCount(step.changed) : '',
      step.truncated > 0 ? formatCount(step.truncated) : '',
      bar(step.rowsOut),
    ]),
  );
  const notes = steps.flatMap(({ changed, example }, index) =>
    example === null
      ? []
      : [
          `${colours.bold(formatCount(changed))} changed or remarked on ${colours.dim(`at ${labels[index]}`)}`,
          `  ${colours.dim(clip(example, look.columns - 2))}`,
        ],
  );
  const told = steps.flatMap(({ notes = [] }, index) =>
    notes.map((note) => `${colours.bold(labels[index] ?? '')} ${note}`),
  );
  const reasons = steps.flatMap((step, index) =>
    step.ended.flatMap(({ fate, code, rows, example }) => [
      `${colours.bold(formatCount(rows))} ${fate}${fate === code ? '' : `: ${code}`} ${colours.dim(`at ${labels[index]}`)}`,
      `  ${clip(`${example.source}:${example.line}`, look.columns - 2)}`,
      `  ${colours.dim(clip(example.reason, look.columns - 2))}`,
    ]),
  );
  const sums = Object.entries(fates).flatMap(([fate, rows]) => (rows > 0 ? [`${formatCount(rows)} ${fate}`] : []));
  const lines = [
    `${colours.bold(address)}: ${formatCount(rowsIn)} rows = ${sums.join(' + ') || 'none'}`,
    '',
    funnel,
    ...(reasons.length + notes.length + told.length > 0 ? [...told, ...reasons, ...notes, ''] : []),
  ];
  return lines.join('\n');
}

/** How the rows of a source are read. */
export interface RowReading {
  /** Null where the dataset does not say. */
  readonly format: string | null;
  /** Theirs to ours; null where they are read under their own names. */
  readonly columns: Readonly<Record<string, string>> | null;
}

function readingOf({ format, columns }: RowReading): string {
  const renamed = Object.entries(columns ?? {}).map(([theirs, ours]) => `${theirs} as ${ours}`);
  return renamed.length > 0 ? `${format}; columns: ${renamed.join(', ')}` : String(format);
}

/** One row's story, in the order in which it happened. */
export function printStory(
  address: string,
  ...[{ entry, sample, shards, read }, look]: [
    RowStory & { readonly shards: ShardStory | null; readonly read: RowReading },
    Look,
  ]
): string {
  const colours = palette(look);
  const kept = entry.step === null;
  const end = kept
    ? colours.green(
        `kept: ${entry.fate === 'heldout' ? 'held out' : 'to train on'}${entry.truncated ? ', cut to a limit' : ''}${sample && !isAnswered(sample) ? '; it has no answer: sft learns nothing from it' : ''}`,
      )
    : colours.red(`${entry.fate} at ${entry.step}${entry.code === entry.fate ? '' : ` (${entry.code})`}`);
  const lines = [
    `${colours.bold(printable(placeOf(entry)))} in ${address}`,
    `  raw row   ${entry.sha256}`,
    ...(entry.id === null ? [] : [`  content   ${entry.id}`]),
    ...(read.format === null ? [] : [`  read as   ${printable(readingOf(read))}`]),
    ...entry.changes.map((change) => `  ${printable(change)}`),
    `  ${end}`,
    ...(entry.reason === null ? [] : [`  ${printable(entry.reason)}`]),
    ...(shards === null ? [] : [`  ${shards.lost ? colours.red(shardLine(shards)) : shardLine(shards)}`]),
    ...(sample?.messages ?? []).map(
      ({ role, content }) =>
        `  ${colours.dim(`${role}:`)} ${clip(typeof content === 'string' ? content : JSON.stringify(content), look.columns - 14)}`,
    ),
  ];
  return `${lines.join('\n')}\n`;
}

/** One row of a ledger in one line: where it stands, what became of it, and why. */
export function printRow(entry: LedgerEntry, look: Look): string {
  const colours = palette(look);
  const { fate, step, code, reason } = entry;
  const at = step === null ? fate : `${fate} at ${step}${code === fate ? '' : ` (${code})`}`;
  const place = colours.bold(printable(placeOf(entry)));
  return `${place}  ${at}${reason === null ? '' : `  ${colours.dim(printable(reason))}`}\n`;
}

const shownSteps = 6;

function shardLine({ shards, lost, documents, cutTokens, steps }: ShardStory): string {
  if (lost) return `lost in shards ${shards}: ${lost.fate}, ${printable(lost.reason)}`;
  const more = steps.length > shownSteps ? ` and ${steps.length - shownSteps} more` : '';
  return [
    `in shards ${shards}: ${documents.join(' + ')} tokens`,
    ...(cutTokens > 0 ? [`cut by ${formatCount(cutTokens)}`] : []),
    ...(steps.length > 0
      ? [`step${steps.length === 1 ? '' : 's'} ${steps.slice(0, shownSteps).join(', ')}${more}`]
      : []),
  ].join(', ');
}

/** What became of the rows that were kept, when they were turned into tokens. */
export function printShards(address: string, ...[manifest, look]: [Shards, Look]): string {
  const colours = palette(look);
  const { counts, ended } = shardsAccount(manifest);
  const reasons = ended.flatMap(({ fate, rows, place, reason }) => [
    `${colours.bold(formatCount(rows))} ${fate} ${colours.dim('as tokens')}`,
    `  ${clip(place, look.columns - 2)}`,
    `  ${colours.dim(clip(reason, look.columns - 2))}`,
  ]);
  return `${[`${colours.bold(`shards ${address}`)}: ${counts}`, ...reasons].join('\n')}\n`;
}

export function printDiff([before, after]: readonly [string, string], ...[diff, look]: [DatasetDiff, Look]): string {
  const colours = palette(look);
  const signed = (change: number): string =>
    change === 0 ? '' : change > 0 ? `+${formatCount(change)}` : `-${formatCount(-change)}`;
  const table = formatTable(
    [
      { title: 'fate' },
      { title: before, align: 'right' },
      { title: after, align: 'right' },
      { title: '', align: 'right' },
    ],
    diff.fates.map((fate) => [
      fate.fate,
      formatCount(fate.before),
      formatCount(fate.after),
      signed(fate.after - fate.before),
    ]),
  );
  const words = {
    added: 'new',
    removed: 'gone',
    edited: 'edited',
    moved: 'another fate',
    changed: 'says something else',
  } as const;
  const groups = diff.groups.flatMap(({ what, fates, rows, examples }) => [
    `${colours.bold(formatCount(rows))} ${words[what]}: ${fates}`,
    ...examples.flatMap(({ place, text }) => {
      const whole = `${place}  ${text}`;
      if (text === '' || whole.length <= look.columns - 2) return [`  ${clip(whole.trimEnd(), look.columns - 2)}`];
      return [`  ${clip(place, look.columns - 2)}`, `    ${clip(text, look.columns - 4)}`];
    }),
  ]);
  return `${table}\n${groups.join('\n')}${groups.length > 0 ? '\n' : ''}${formatCount(diff.same)} rows as before\n`;
}

/** On one line, at most so wide; the end that says most stays. */
function clip(text: string, width: number): string {
  const plain = printable(text.replaceAll('\n', ' '));
  return plain.length <= width ? plain : `${plain.slice(0, Math.max(1, width - 1))}…`;
}
