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
  /** The first of the rows that shards hold to train on, in their order. */
  readonly rows: readonly TracedRow[];
  /** How many there are, and are rows of the dataset. */
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
  /** How many of the rows are given. */
  readonly shown: number;
  readonly madeRows: CheckRowsOptions['madeRows'];
}): Promise<TrainedRows> {
  const { datasetFolder, shardsFolder, shown, madeRows } = request;
  let reader: ShardReader;
  try {
    reader = await openShards(shardsFolder);
  } catch (error) {
    if (!MartletError.is(error)) throw error;
    const dataset = await checkDatasetRows(datasetFolder, { madeRows });
    return { dataset, rows: [], count: 0, problems: [error.message] };
  }
  using shards = reader;
  const ids = shards.rows('train')[Symbol.iterator]();
  let next = ids.next();
  let total = 0;
  const dataset = await checkDatasetRows(datasetFolder, {
    madeRows,
    isShown(id) {
      if (next.done || next.value.id !== id) return false;
      next = ids.next();
      return total++ < shown;
    },
  });
  if (total === 0 && next.done) return { dataset, rows: [], count: 0, problems: ['train.rows.u32 leads to no row'] };
  const known = new Map(dataset.rows);
  const left: string[] = [];
  for (; !next.done; next = ids.next()) left.push(next.value.id);
  total += left.length;
  const strangers = await strangersAmong(left, { datasetFolder, madeRows, known });
  const rows = shownRows(shards, { shown, known });
  return { dataset, rows, count: total - strangers.length, problems: summarise(strangers) };
}

/** What of ids is no row of the dataset; `known` is told of those that are. */
async function strangersAmong(
  left: readonly string[],
  request: Pick<CheckRowsOptions, 'madeRows'> & {
    readonly datasetFolder: string;
    readonly known: Map<string, CheckedRow>;
  },
): Promise<readonly string[]> {
  if (left.length === 0) return [];
  const { datasetFolder, madeRows, known } = request;
  const { rows } = await checkDatasetRows(datasetFolder, { madeRows, ids: new Set(left) });
  for (const [id, row] of rows) known.set(id, row);
  return left.filter((id) => !rows.has(id)).map((id) => `train.rows.u32 names ${id}, which is no row of the dataset`);
}

function shownRows(
  reader: ShardReader,
  { shown, known }: { readonly shown: number; readonly known: ReadonlyMap<string, CheckedRow> },
): readonly TracedRow[] {
  const found = new Map<number, Omit<TracedRow, 'steps'>>();
  let index = 0;
  for (const { id } of reader.rows('train')) {
    if (found.size >= shown) break;
    const row = known.get(id);
    if (row) found.set(index, { id, ...row });
    index++;
  }
  const steps = stepsOfRows(reader, new Set(found.keys()));
  return Array.from(found, ([row, traced]) => ({ ...traced, steps: steps.get(row) ?? [] }));
}
