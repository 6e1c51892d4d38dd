import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { formatIssue, type Issue } from '../core/issue.ts';
import { formatCount } from '../core/units.ts';
import { type Dataset, type Fate, fates, type LedgerEntry } from '../schema/dataset.ts';
import { createFileWriter } from '../store/file-writer.ts';
import { type ReadSourcesRequest, type RowOutcome, readOpenedSources } from './read-sources.ts';
import { openSources } from './sources.ts';

export interface BuildDatasetRequest extends ReadSourcesRequest {
  /** An empty folder. */
  readonly folder: string;
}

export interface BuiltDataset {
  readonly dataset: Dataset;
  /** The first day on which a row held back now may be used: until then the same sources give the same dataset. */
  readonly changesOn: string | null;
  /** What is allowed and yet worth knowing. */
  readonly warnings: readonly string[];
}

/**
 * Writes `rows.jsonl` (samples), `ledger.jsonl` (one line for each row of each source) and `dataset.json`. A pure function
 * of the sources' bytes, the values and the day.
 * @throws MartletError `loss-budget` when more rows are invalid than `budget.dropped` allows; as `readSources` does.
 */
export async function buildDataset(request: BuildDatasetRequest): Promise<BuiltDataset> {
  const { values, folder } = request;
  const sources = await openSources(request);
  const counts = Object.fromEntries(fates.map((fate) => [fate, 0])) as Record<Fate, number>;
  const lost: Issue[] = [];
  const lostByCode = new Map<string, number>();
  let changesOn: string | null = null;
  let changedRows = 0;
  let firstChange = '';

  await using rows = await createFileWriter(join(folder, 'rows.jsonl'));
  await using ledger = await createFileWriter(join(folder, 'ledger.jsonl'));
  for await (const outcome of readOpenedSources(sources, request)) {
    counts[outcome.fate]++;
    if (outcome.sample) await rows.writeJson(outcome.sample);
    await ledger.writeJson(ledgerEntryOf(outcome));
    if (outcome.embargo !== null && (changesOn === null || outcome.embargo < changesOn)) changesOn = outcome.embargo;
    if (outcome.changes.length > 0) {
      changedRows++;
      firstChange ||= `${outcome.file}:${outcome.line} ${outcome.changes[0]}`;
    }
    const [first] = outcome.issues;
    if (!first) continue;
    lostByCode.set(first.code, (lostByCode.get(first.code) ?? 0) + 1);
    if (lost.length < shownLosses) lost.push(first);
  }
  checkBudget({ counts, allowed: values.budget.dropped, lost, lostByCode });

  const dataset: Dataset = {
    schema: 'dataset/1',
    rowsIn: fates.reduce((sum, fate) => sum + counts[fate], 0),
    fates: counts,
    formats: Object.fromEntries(sources.map((source) => [source.values.from, source.format.name])),
  };
  await using document = await createFileWriter(join(folder, 'dataset.json'));
  await document.write(`${JSON.stringify(dataset, null, 2)}\n`);
  const warnings = [
    counts.invalid > 0 &&
      `rows that cannot be used: ${formatCount(counts.invalid)} (${totalsOf(lostByCode)}); the first: ${lost.slice(0, 1).map(formatIssue)}`,
    changedRows > 0 && `rows changed while they were read: ${formatCount(changedRows)}; the first: ${firstChange}`,
    counts.heldout === 0 && values.split.share !== 0 && 'no row is held out: the rows are too few for data.split.share',
  ].filter((warning) => warning !== false);
  return { dataset, changesOn, warnings };
}

const totalsOf = (byCode: ReadonlyMap<string, number>): string =>
  [...byCode]
    .sort(([, a], [, b]) => b - a)
    .map(([code, count]) => `${formatCount(count)} ${code}`)
    .join(', ');

function ledgerEntryOf({ source, line, sha256, fate, id, reason, changes }: RowOutcome): LedgerEntry {
  return { source, line, sha256, fate, id, reason, changes: [...changes] };
}

const shownLosses = 8;

interface BudgetCheck {
  readonly counts: Readonly<Record<Fate, number>>;
  readonly allowed: number;
  readonly lost: readonly Issue[];
  readonly lostByCode: ReadonlyMap<string, number>;
}

/**
 * Only invalid rows are lost against anyone's will: limits and makers are asked for, an embargo is the row's own terms, and
 * what a duplicate says is said by the first of its kind.
 */
function checkBudget({ counts, allowed, lost, lostByCode }: BudgetCheck): void {
  const taken = counts.train + counts.heldout + counts.duplicate + counts.embargoed + counts.invalid;
  if (counts.invalid <= allowed * taken) return;
  const more = counts.invalid - lost.length;
  const lines = [
    ...lost.map((issue) => `  ${formatIssue(issue)}`),
    ...(more > 0 ? [`  and ${formatCount(more)} more`] : []),
  ];
  throw new MartletError(
    'loss-budget',
    `${formatCount(counts.invalid)} of ${formatCount(taken)} rows cannot be used (${totalsOf(lostByCode)}); the budget allows ${percent(allowed)}:\n${lines.join('\n')}`,
    {
      issues: lost,
      hint: `Mend the rows, or allow the loss: data.budget.dropped: ${shareAbove(counts.invalid / taken)}.`,
    },
  );
}

const percent = (share: number): string => `${Number((share * 100).toPrecision(3))} %`;

/** The share, rounded up so that it is enough. */
const shareAbove = (share: number): number => Math.ceil(share * 1e4) / 1e4;
