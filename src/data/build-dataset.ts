import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { issuesError, MartletError } from '../core/error.ts';
import { formatIssue } from '../core/issue.ts';
import { isWithinBudget, tellLost } from '../core/lost-rows.ts';
import { formatCount, formatPercent, shareAbove } from '../core/units.ts';
import type { Dataset, StepAccount } from '../schema/dataset.ts';
import { createFileWriter } from '../store/files/file-writer.ts';
import type { StepReuse } from '../store/stage.ts';
import type { DatasetAccounts } from './build/dataset-accounts.ts';
import { trimCache } from './build/kept/cache.ts';
import { type RunStepsRequest, runSteps } from './build/kept/run-steps.ts';
import { writeDataset } from './build/kept/write-dataset.ts';
import { streamDataset } from './build/streamed/stream-dataset.ts';
import { folderWarnings } from './folder-warnings.ts';
import { lostRows } from './lost-rows.ts';
import type { DataValues, OpenedSource } from './opened-source.ts';
import { type ReadSourcesRequest, readOpenedSources, rowStepsOf } from './read-sources.ts';
import { openSources } from './sources.ts';
import { closedSteps, comparesBy } from './steps/closed-steps.ts';
import { absentColumns, partlyLacking } from './steps/lacking-columns.ts';
import type { OpenedStep } from './steps/open-steps.ts';

export interface BuildDatasetRequest extends ReadSourcesRequest {
  /** An empty folder. */
  readonly folder: string;
  /**
   * A folder for what was read and done, so that a build that was killed goes on, and a later one does again only what
   * differs. What this build does not need is removed from it. Streamed: of the same build alone; another day, other sources
   * or values need another. Absent: a folder that goes when the build ends.
   */
  readonly cacheFolder?: string | undefined;
  /** Keeps no rows: `streamed.json` and `pieces.jsonl` say what they can be made from again. */
  readonly streamed?: boolean | undefined;
  /** Threads beside this one; 0 for none. The files are the same, however many. As `workersFor` says when absent. */
  readonly workers?: number | undefined;
  /** At most so many threads work; all cores when absent. */
  readonly threads?: number | undefined;
  /** Bytes of raw rows that are read together. */
  readonly batchBytes?: number | undefined;
  /** Told of the rows read so far. */
  readonly onRows?: ((rows: number) => void) | undefined;
}

export interface BuiltDataset {
  readonly dataset: Dataset;
  /** The first day on which a row held back now may be used: until then the same sources give the same dataset. */
  readonly changesOn: string | null;
  /** How much of an earlier build went into it: of reading, then of each step; null when nothing is kept for a later one. */
  readonly reuse: readonly StepReuse[] | null;
  /** What is allowed and yet worth knowing. */
  readonly warnings: readonly string[];
}

/**
 * Writes `rows.jsonl` (samples), `ledger.jsonl` (one line for each row of each source) and `dataset.json`. A pure function
 * of the sources' bytes, the values and the day.
 * @throws MartletError `invalid-input` for a column that a step takes and no row has, `loss-budget` when more rows are invalid than `budget.dropped` allows, `truncation-budget` when more
 * are cut than `budget.truncated` allows; as `readSources` does.
 */
export async function buildDataset(request: BuildDatasetRequest): Promise<BuiltDataset> {
  const { folder } = request;
  const values = { ...request.values, steps: closedSteps(request.values.steps) };
  const sources = await openSources(request);
  const cacheFolder = request.cacheFolder ?? (await mkdtemp(join(tmpdir(), 'martlet-build-')));
  try {
    await requireCompared(sources, request);
    let rowsRead = 0;
    let opened: readonly OpenedStep[] = [];
    const work = {
      ...request,
      values,
      sources,
      cacheFolder,
      workers:
        request.workers ??
        workersFor({ bytes: await bytesOf(sources), threads: request.threads ?? availableParallelism() }),
      onBatch: (rows: number) => {
        rowsRead += rows;
        request.onRows?.(rowsRead);
      },
      onSteps: (steps: readonly OpenedStep[]) => {
        opened = steps;
      },
    };
    const { accounts, reuse } = request.streamed
      ? { accounts: await streamDataset(work), reuse: null }
      : await keepDataset(work);
    checkColumns(accounts, values.steps);
    checkLosses(accounts, values);
    checkCuts(accounts, values.budget.truncated);

    const dataset: Dataset = {
      schema: 'dataset/1',
      rowsIn: accounts.rowsIn,
      fates: accounts.fates,
      // Reading is the first of them.
      steps: accounts.steps.map((account, index) => withNotes(account, opened[index - 1])),
      formats: Object.fromEntries(sources.map((source) => [source.values.from, source.format.name])),
    };
    await using document = await createFileWriter(join(folder, 'dataset.json'));
    await document.write(`${JSON.stringify(dataset, null, 2)}\n`);
    return {
      dataset,
      changesOn: accounts.changesOn,
      reuse,
      warnings: [
        ...(await Promise.all(values.sources.map(({ from }) => folderWarnings(from)))).flat(),
        ...notesOf(opened),
        ...warningsOf(accounts, values),
      ],
    };
  } finally {
    if (request.cacheFolder === undefined) await rm(cacheFolder, { recursive: true, force: true });
  }
}

function withNotes(account: StepAccount, opened: OpenedStep | undefined): StepAccount {
  const notes = opened?.step.notes;
  return notes ? { ...account, notes: [...notes] } : account;
}

const notesOf = (opened: readonly OpenedStep[]): readonly string[] =>
  opened.flatMap(({ step }, index) => (step.notes ?? []).map((note) => `data.steps[${index}]: ${note}`));

/**
 * Columns that rows are compared by, of which the steps over all rows tell nothing: looks at rows until each was there.
 * @throws MartletError `invalid-input` for one that no row has
 */
async function requireCompared(sources: readonly OpenedSource[], request: ReadSourcesRequest): Promise<void> {
  const { steps } = request.values;
  const compared = new Set(steps.flatMap((step, index) => (step.module === null && comparesBy(step) ? [index] : [])));
  const through = compared.size > 0 ? await rowStepsOf(request.values) : undefined;
  if (!through) return;
  const absent = () =>
    absentColumns(through.lacking(), steps, 'error').filter(({ path }) => compared.has(Number(path[2])));
  for await (const { sample } of readOpenedSources(sources, { ...request, steps: through }))
    if (sample && absent().length === 0) return;
  if (absent().length > 0) throw issuesError('data.steps', absent());
}

async function keepDataset(work: RunStepsRequest & { readonly folder: string }) {
  const { folder, cacheFolder } = work;
  const outcome = await runSteps(work);
  const accounts = await writeDataset({ folder, cacheFolder, outcome });
  await trimCache(cacheFolder, outcome.files);
  return { accounts, reuse: outcome.reuse };
}

/** Below this a thread takes longer to begin than to read. */
const bytesWorthThreads = 8 * 2 ** 20;

async function bytesOf(sources: readonly OpenedSource[]): Promise<number> {
  const sizes = await Promise.all(sources.map(async (source) => (await source.extent()).bytes));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Threads beside this one, which only hands on and writes while there are any; none where this one may work alone. */
export function workersFor({ bytes, threads }: { readonly bytes: number; readonly threads: number }): number {
  return bytes < bytesWorthThreads || threads === 1 ? 0 : threads;
}

/** Kinds of remarks that are warned of; the ledger has all. */
const shownRemarks = 5;

function warningsOf(accounts: DatasetAccounts, values: DataValues): readonly string[] {
  const { fates, remarks, lacking } = accounts;
  const lost = lostRows(accounts, values);
  return [
    fates.invalid > 0 &&
      `${tellLost(lost, values.budget.dropped).message}; the first: ${lost.issues.slice(0, 1).map(formatIssue)}`,
    ...remarks
      .slice(0, shownRemarks)
      .map(
        ({ rows, first }) =>
          `rows changed or remarked on while they were read: ${formatCount(rows)}; the first: ${first}`,
      ),
    ...partlyLacking(lacking),
    fates.heldout === 0 && values.split.share !== 0 && 'no row is held out: the rows are too few for data.split.share',
  ].filter((warning) => warning !== false);
}

function checkColumns({ lacking }: DatasetAccounts, steps: DataValues['steps']): void {
  const issues = absentColumns(lacking, steps, 'error');
  if (issues.length > 0) throw issuesError('data.steps', issues);
}

function checkLosses(accounts: DatasetAccounts, values: DataValues): void {
  const lost = lostRows(accounts, values);
  if (isWithinBudget(lost, values.budget.dropped)) return;
  const { message, fix, lines } = tellLost(lost, values.budget.dropped);
  const text = [`${message}:`, ...lines.map((line) => `  ${line}`)].join('\n');
  throw new MartletError('loss-budget', text, { issues: lost.issues, hint: fix });
}

function checkCuts({ fates, truncated, steps }: DatasetAccounts, allowed: number): void {
  const kept = fates.train + fates.heldout;
  if (truncated <= allowed * kept) return;
  const first = steps.find((step) => step.truncated > 0)?.example ?? '';
  throw new MartletError(
    'truncation-budget',
    `${formatCount(truncated)} of ${formatCount(kept)} rows are cut to a length; the budget allows ${formatPercent(allowed)}. The first: ${first}`,
    {
      hint: `Raise the limit, drop long rows (cut: drop), or allow it: data.budget.truncated: ${shareAbove(truncated / kept)}.`,
    },
  );
}
