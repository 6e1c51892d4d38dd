import { join } from 'node:path';
import { formatCount } from '../../core/units.ts';
import { type ShardSplit, type Shards, shardSplits, shards as shardsDocument } from '../../schema/shards.ts';
import { readJson } from '../stage.ts';
import type { Artefact, Store } from '../store.ts';
import { openShards, type ShardReader } from './shard-reader.ts';
import { stepsOfRows } from './shard-steps.ts';

/** What became of a row of a dataset when it was turned into tokens. */
export interface ShardStory {
  readonly shards: string;
  /** Why it became no document; null when it did. */
  readonly lost: Pick<Shards['lost'][number], 'fate' | 'reason'> | null;
  /** Tokens of each of its documents. */
  readonly documents: readonly number[];
  /** Tokens cut off it to fit. */
  readonly cutTokens: number;
  /** Steps it is computed in, counted from 1; none of a row that is held out. */
  readonly steps: readonly number[];
}

/** The newest shards that were made of a dataset, and their accounts. */
export async function shardsOfDataset(
  store: Store,
  dataset: string,
): Promise<{ readonly artefact: Artefact; readonly manifest: Shards } | undefined> {
  const made = (await store.list('shards')).findLast(({ lineage }) =>
    lineage.inputs.some(({ kind, address }) => kind === 'dataset' && address === dataset),
  );
  if (!made) return undefined;
  const manifest = shardsDocument.safeParse(await readJson(join(made.folder, 'shards.json'))).data;
  return manifest && { artefact: made, manifest };
}

export interface ShardsAccount {
  /** Rows that became documents, and what else became of rows, in words. */
  readonly counts: string;
  /** Rows that became none, by fate, and the first of each. */
  readonly ended: readonly {
    readonly fate: string;
    readonly rows: number;
    readonly place: string;
    readonly reason: string;
  }[];
}

/** What became of the rows of a dataset when they were turned into tokens, for people. */
export function shardsAccount({ splits, lost, truncated, split }: Shards): ShardsAccount {
  const counts = [
    `${formatCount(splits.train.rows)} rows to train on`,
    `${formatCount(splits.heldout.rows)} held out`,
    ...(lost.length > 0 ? [`${formatCount(lost.length)} lost`] : []),
    ...(truncated > 0 ? [`${formatCount(truncated)} cut`] : []),
    ...(split > 0 ? [`${formatCount(split)} split`] : []),
  ].join(', ');
  const ended = [...Map.groupBy(lost, ({ fate }) => fate)].flatMap(([fate, rows]) =>
    rows.slice(0, 1).map(({ id, place = id, reason }) => ({ fate, rows: rows.length, place, reason })),
  );
  return { counts, ended };
}

/** By the newest shards of the dataset; undefined where there are none, or they do not know the row. */
export async function shardStory(
  store: Store,
  { dataset, id }: { readonly dataset: string; readonly id: string },
): Promise<ShardStory | undefined> {
  const made = await shardsOfDataset(store, dataset);
  if (!made) return undefined;
  const { artefact, manifest } = made;
  const lost = manifest.lost.find((row) => row.id === id);
  const nothing = { documents: [], cutTokens: 0, steps: [] };
  if (lost) return { shards: artefact.address, lost: { fate: lost.fate, reason: lost.reason }, ...nothing };
  using reader = await openShards(artefact.folder);
  for (const split of shardSplits) {
    const row = rowNumber(reader, split, id);
    if (row === undefined) continue;
    const indices = Array.from({ length: manifest.splits[split].documents }, (_, index) => index).filter(
      (index) => reader.outline(split, index).row === row,
    );
    return {
      shards: artefact.address,
      lost: null,
      documents: indices.map((index) => reader.outline(split, index).tokens),
      cutTokens: reader.rowOf(split, indices[0] ?? 0).cutTokens,
      steps: split === 'train' ? (stepsOfRows(reader, new Set([row])).get(row) ?? []) : [],
    };
  }
  return undefined;
}

function rowNumber(reader: ShardReader, ...[split, id]: [ShardSplit, string]): number | undefined {
  let number = 0;
  for (const row of reader.rows(split)) {
    if (row.id === id) return number;
    number++;
  }
  return undefined;
}
