import { join } from 'node:path';
import { methodNamed } from '../methods/index.ts';
import { encodeDocuments, noonOf, openEncoder } from '../models/encoder.ts';
import type { Plan } from '../schema/plan.ts';
import { shards as shardsDocument } from '../schema/shards.ts';
import { type Base, readJson, type StageDeps } from '../store/stage.ts';
import type { Artefact } from '../store/store.ts';
import { encodeBlock } from './encode-block.ts';
import { openWindows, type ShardWindows } from './windows.ts';

export interface StreamShardsRequest {
  readonly plan: Plan;
  readonly base: Base;
  readonly dataset: Artefact;
  readonly shards: Artefact;
  /** Where windows stand. */
  readonly folder: string;
}

/** The tokens of shards while they are trained on, where they are streamed; undefined where all of them are kept. */
export async function streamShards(
  { signal }: Pick<StageDeps, 'signal'>,
  { plan, base, dataset, shards, folder }: StreamShardsRequest,
): Promise<ShardWindows | undefined> {
  const { streamed, day } = shardsDocument.parse(await readJson(join(shards.folder, 'shards.json')));
  const { shardsGiB } = plan.execution;
  if (!streamed || shardsGiB === null) return undefined;
  const { render, method } = plan.values;
  const encoder = await openEncoder({ folder: base.folder, render, now: noonOf(day) });
  const rules = { render, layout: methodNamed(method.name).layout, encode: encodeDocuments(encoder) };
  return openWindows({
    shardsFolder: shards.folder,
    datasetFolder: dataset.folder,
    folder,
    encode: (lines) => encodeBlock(lines, rules),
    diskBytes: shardsGiB * 2 ** 30,
    signal,
  });
}
