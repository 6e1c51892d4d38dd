import { MartletError } from '../../core/error.ts';
import { openShards, type ShardReader } from '../shards/shard-reader.ts';
import { stepsOfRows } from '../shards/shard-steps.ts';
import {
  type CheckedRow,
  type CheckedRows,
  type CheckRowsOptions,
  checkDatasetRows,
  summarise,
  type TracedRow,
} from './rows.ts';

export interface TrainedRows {
  /** The dataset that the shards were made of. */
  readonly dataset: Pick<CheckedRows, 'count' | 'problems'>;
  /** The first of the rows that were computed, in the order of the shards. */
  readonly rows: readonly TracedRow[];
  /** How many were computed, and are rows of the dataset. */
  readonly computed: number;
  /** How many the shards hold to train on, and are rows of the dataset. */
  readonly count: number;
  /** What is wrong with the shards. */
  readonly problems: readonly string[];
}

/**
 * Checks the rows of a dataset, and that those of training shards are among them. Both stand in one order, so that neither
 * is held in memory; where they do not, the ids of shards from there on are.
 */
export async function checkTrainedRows(request: {
  readonly datasetFolder: string;
  readonly shardsFolder: string;
  /** Steps of the schedule that were computed: rows of later ones taught nothing. All when undefined. */
  readonly steps: number | undefined;
  /** How many of the rows are given. */
  readonly shown: number;
  readonly madeRows: CheckRowsOptions['madeRows'];
}): Promise<TrainedRows> {
  const { datasetFolder, shardsFolder, steps, shown, madeRows } = request;
  let reader: ShardReader;
  try {
    reader = await openShards(shardsFolder);
  } catch (error) {
    if (!MartletError.is(error)) throw error;
    const dataset = await checkDatasetRows(datasetFolder, { madeRows });
    return { dataset, rows: [], computed: 0, count: 0, problems: [error.message] };
  }
  using shards = reader;
  const ids = shards.rows('train')[Symbol.iterator]();
  const isComputed = computedRows(shards, steps);
  let next = ids.next();
  let total = 0;
  let computed = 0;
  const dataset = await checkDatasetRows(datasetFolder, {
    madeRows,
    isShown(id) {
      if (next.done || next.value.id !== id) return false;
      next = ids.next();
      return isComputed[total++] === 1 && computed++ < shown;
    },
  });
  if (total === 0 && next.done)
    return { dataset, rows: [], computed: 0, count: 0, problems: ['train.rows.u32 leads to no row'] };
  const known = new Map(dataset.rows);
  const left: string[] = [];
  for (; !next.done; next = ids.next()) left.push(next.value.id);
  const strangers = await strangersAmong(left, { datasetFolder, madeRows, known });
  computed += left.filter((id, index) => isComputed[total + index] === 1 && !strangers.has(id)).length;
  const rows = shownRows(shards, { shown, known, isComputed, steps });
  const problems = Array.from(strangers, (id) => `train.rows.u32 names ${id}, which is no row of the dataset`);
  const count = total + left.filter((id) => !strangers.has(id)).length;
  return { dataset, rows, computed, count, problems: summarise(problems) };
}

/** What of ids is no row of the dataset; `known` is told of those that are. */
async function strangersAmong(
  left: readonly string[],
  request: Pick<CheckRowsOptions, 'madeRows'> & {
    readonly datasetFolder: string;
    readonly known: Map<string, CheckedRow>;
  },
): Promise<ReadonlySet<string>> {
  if (left.length === 0) return new Set();
  const { datasetFolder, madeRows, known } = request;
  const { rows } = await checkDatasetRows(datasetFolder, { madeRows, ids: new Set(left) });
  for (const [id, row] of rows) known.set(id, row);
  return new Set(left.filter((id) => !rows.has(id)));
}

/** For each training row, 1 where one of the first `steps` computes it. */
function computedRows(reader: ShardReader, steps = Number.POSITIVE_INFINITY): Uint8Array {
  const found = new Uint8Array(reader.manifest.splits.train.rows);
  for (let step = 0; step < Math.min(steps, reader.stepCount('train')); step++)
    for (const index of reader.stepDocuments('train', step)) found[reader.outline('train', index).row] = 1;
  return found;
}

function shownRows(
  reader: ShardReader,
  request: {
    readonly shown: number;
    readonly known: ReadonlyMap<string, CheckedRow>;
    readonly isComputed: Uint8Array;
    readonly steps: number | undefined;
  },
): readonly TracedRow[] {
  const { shown, known, isComputed, steps: reached = Number.POSITIVE_INFINITY } = request;
  const found = new Map<number, Omit<TracedRow, 'steps'>>();
  let index = 0;
  for (const { id } of reader.rows('train')) {
    if (found.size >= shown) break;
    const row = isComputed[index] === 1 ? known.get(id) : undefined;
    if (row) found.set(index, { id, ...row });
    index++;
  }
  const steps = stepsOfRows(reader, new Set(found.keys()));
  return Array.from(found, ([row, traced]) => ({
    ...traced,
    steps: (steps.get(row) ?? []).filter((step) => step <= reached),
  }));
}
