import type { BySource } from '../core/forecast.ts';
import type { Issue } from '../core/issue.ts';
import { addLost, type LostReason, type LostRows } from '../core/lost-rows.ts';
import type { Fate } from '../schema/fates.ts';
import { lostRows } from './lost-rows.ts';
import type { OpenedSource } from './opened-source.ts';
import { type ReadSourcesRequest, readOpenedSources, rowStepsOf } from './read-sources.ts';
import { mixEnded } from './source-rows.ts';
import { openSources } from './sources.ts';
import { oneRowShare, splitFraction } from './split.ts';
import { absentColumns } from './steps/lacking-columns.ts';

export interface RowCounts {
  readonly train: number;
  readonly heldout: number;
  /** False when only the first rows were read and the rest was judged by its size. */
  readonly exact: boolean;
  /** Of each source, where the build must come to the same: every row was read, and no step has to see all of them first. */
  readonly sources?: BySource<'train' | 'heldout'>;
  /** Steps whose drops are not known before the build. */
  readonly undecided: readonly string[];
  /** Where rows by themselves are split and none is held out: the share that would hold out one, and of which source. */
  readonly oneRow?: { readonly share: number; readonly source: string };
  /** Sources of which mixing leaves out more than half. */
  readonly unmixed: readonly { readonly source: string; readonly rows: number; readonly of: number }[];
  /** Columns that steps take and none of the rows read has; errors when all rows were read. */
  readonly absent: readonly Issue[];
  /** Of the rows read. */
  readonly lost: LostRows;
}

/** Of more rows than these, none held out is what was asked for. */
const fewRows = 1000;

/** Rows without bytes (of a query) are taken for so many. */
const usualRowBytes = 2048;

/**
 * Facts for a plan: reads every row up to `readBytes` (64 MiB: about a second). Where there are more, it reads the first
 * quarter of that and judges by the number of rows where a source states it (Parquet, a query), else by the size of its files.
 * @throws as `readSources` does, for sources that cannot be read.
 */
export async function countRows(request: ReadSourcesRequest & { readonly readBytes?: number }): Promise<RowCounts> {
  const sources = await openSources(request);
  const extents = await Promise.all(sources.map((source) => source.extent()));
  const all = extents.reduce(
    (sum, { bytes, rows }) => sum + bytes + (bytes === 0 ? (rows ?? 0) * usualRowBytes : 0),
    0,
  );
  const { readBytes = 64 * 2 ** 20 } = request;
  const share = all <= readBytes ? 1 : readBytes / 4 / all;
  const counts = new Map<string, { train: number; heldout: number; full: boolean; rows: number; unmixed: number }>();
  const lost: LostReason[] = [];
  const fates: Partial<Record<Fate, number>> = {};
  const lostByCode = new Map<string, number>();
  const fractions: { readonly fraction: number; readonly source: string }[] = [];
  const through = await rowStepsOf(request.values);
  for await (const { source, fate, issues: found, reason, id, readId = id } of readOpenedSources(sources, {
    ...request,
    share,
    steps: through,
  })) {
    const count = counts.get(source) ?? { train: 0, heldout: 0, full: false, rows: 0, unmixed: 0 };
    counts.set(source, count);
    count.rows++;
    if (reason?.startsWith(mixEnded)) count.unmixed++;
    if (fate === 'train' || fate === 'heldout') count[fate]++;
    if (fate === 'train' && readId !== null && fractions.length <= fewRows)
      fractions.push({ fraction: splitFraction(readId), source });
    // A source that has reached its limit gives no more rows, however long it is.
    if (fate === 'limited') count.full = true;
    fates[fate] = (fates[fate] ?? 0) + 1;
    const [issue] = found;
    if (fate !== 'invalid' || !issue) continue;
    lostByCode.set(issue.code, (lostByCode.get(issue.code) ?? 0) + 1);
    addLost(lost, { issue, rows: 1 });
  }
  const scaled = sources.map((source, index) => {
    const count = counts.get(source.values.from);
    if (!count || share === 1) return { train: count?.train ?? 0, heldout: count?.heldout ?? 0 };
    const factor = factorOf(source, { ...count, stated: extents[index]?.rows ?? null, share });
    return { train: count.train * factor, heldout: count.heldout * factor };
  });
  // The same source twice in a recipe is counted as one.
  const once = scaled.filter(
    (_, index) => sources.findIndex(({ values }) => values.from === sources[index]?.values.from) === index,
  );
  const total = (side: 'train' | 'heldout'): number => Math.round(once.reduce((sum, count) => sum + count[side], 0));
  const { split, steps } = request.values;
  // A step that has to see all rows first may yet drop the very row.
  const isByRow = share === 1 && split.by === null && split.heldOut === null;
  const isFew = isByRow && total('heldout') === 0 && fractions.length <= fewRows;
  const one = isFew ? oneRowShare(fractions.map(({ fraction }) => fraction)) : undefined;
  const holdsOut = fractions.find(({ fraction }) => one !== undefined && fraction < one);
  const { undecided = [] } = through ?? {};
  return {
    train: total('train'),
    heldout: total('heldout'),
    exact: share === 1,
    undecided,
    ...(share === 1 &&
      undecided.length === 0 && {
        sources: Object.fromEntries([...counts].map(([from, { train, heldout }]) => [from, { train, heldout }])),
      }),
    unmixed: [...counts]
      .filter(([, { unmixed, rows }]) => 2 * unmixed > rows)
      .map(([source, { unmixed, rows }]) => ({ source, rows: unmixed, of: rows })),
    absent: absentColumns(through?.lacking() ?? [], steps, share === 1 ? 'error' : 'warning'),
    lost: lostRows({ fates, lost, lostByCode }, request.values),
    ...(one !== undefined && holdsOut && { oneRow: { share: one, source: holdsOut.source } }),
  };
}

interface FactorRequest {
  readonly rows: number;
  readonly train: number;
  readonly heldout: number;
  readonly full: boolean;
  readonly stated: number | null;
  readonly share: number;
}

/** What the counts of the first rows stand for. */
function factorOf({ sample, values: { limit } }: OpenedSource, counted: FactorRequest): number {
  const { rows, train, heldout, full, stated, share } = counted;
  if (full || rows === 0) return 1;
  const factor = (sample ?? stated ?? rows / share) / rows;
  return limit === null ? factor : Math.min(factor, limit / Math.max(1, train + heldout));
}
