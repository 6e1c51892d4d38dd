import { join } from 'node:path';
import { type BySource, type Forecast, forecastDiffers, totalOf } from '../core/forecast.ts';
import { shards as shardsDocument } from '../schema/shards.ts';
import type { DatasetRows } from '../store/dataset/dataset-rows.ts';
import { otherCode } from '../store/made-by.ts';
import { readDocument } from '../store/read-document.ts';
import { openShards } from '../store/shards/shard-reader.ts';
import type { Artefact } from '../store/store.ts';

interface HeldShards {
  /** With their files, whether they are an artefact yet or not. */
  readonly folder: string;
  /** The artefact; absent while they are made. */
  readonly found?: Artefact;
  readonly forecast: Forecast | undefined;
  readonly rows: DatasetRows;
}

const names = { rows: 'rows to train on', tokens: 'tokens', learned: 'learned tokens' } as const;
type Counts = Record<keyof typeof names, number>;

/**
 * Whether shards hold what was forecast of them. Sources are told apart only where the sums differ: it takes a reading of
 * the rows.
 * @throws MartletError `forecast-differs`
 */
export async function holdToForecast({ folder, found, forecast, rows }: HeldShards): Promise<void> {
  if (!forecast?.tokens) return;
  const { splits, streamed, day } = await readDocument(join(folder, 'shards.json'), shardsDocument);
  const { rows: count = 0, tokens = 0, learnedTokens: learned = 0 } = splits.train;
  const is: Counts = { rows: count, tokens, learned };
  const all: Counts = {
    rows: totalOf(forecast.tokens, 'rows'),
    tokens: totalOf(forecast.tokens, 'tokens'),
    learned: totalOf(forecast.tokens, 'learned'),
  };
  const isSame = is.rows === all.rows && is.tokens === all.tokens && is.learned === all.learned;
  // Templates may tell the date.
  if (isSame || day !== forecast.day) return;
  const compared = streamed
    ? { forecast: { 'all sources': all }, found: { 'all sources': is } }
    : { forecast: forecast.tokens, found: await countsBySource(folder, rows) };
  const made = found ? `shards ${found.address}` : 'new shards';
  throw forecastDiffers({ made, names, ...compared, otherCode: found && (await otherCode(found.lineage)) });
}

async function countsBySource(folder: string, rows: DatasetRows): Promise<BySource<keyof Counts>> {
  const sources = new Map<string, string>();
  for await (const { id, provenance } of rows.samples({ split: 'train' })) sources.set(id, provenance.source);
  using reader = await openShards(folder);
  const found: Record<string, Counts> = {};
  const of = (id: string): Counts => {
    const source = sources.get(id) ?? 'rows of no source';
    found[source] ??= { rows: 0, tokens: 0, learned: 0 };
    return found[source];
  };
  const ids: string[] = [];
  for (const { id } of reader.rows('train')) {
    ids.push(id);
    of(id).rows++;
  }
  for (let index = 0; index < reader.manifest.splits.train.documents; index++) {
    const { row, weights } = reader.document('train', index);
    const counts = of(ids[row] ?? '');
    counts.tokens += weights.length;
    counts.learned += weights.reduce((sum, weight) => sum + (weight > 0 ? 1 : 0), 0);
  }
  return found;
}
