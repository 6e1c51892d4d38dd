import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { methodNamed } from '../methods/index.ts';
import { encodeDocuments, noonOf, openEncoder } from '../models/encoder.ts';
import { streamedDataset } from '../schema/dataset.ts';
import type { Plan } from '../schema/plan.ts';
import { shards as shardsDocument } from '../schema/shards.ts';
import type { DatasetRows } from '../store/dataset/dataset-rows.ts';
import { folderBytes } from '../store/files/files.ts';
import { readDocument } from '../store/read-document.ts';
import { openShards } from '../store/shards/shard-reader.ts';
import type { Base, StageDeps } from '../store/stage.ts';
import type { Artefact } from '../store/store.ts';
import { encodeBlock } from './encode-block.ts';
import { openWindows, type ShardWindows, type WindowsDisk, windowStarts } from './windows.ts';

export interface StreamShardsRequest {
  readonly plan: Plan;
  readonly base: Base;
  readonly dataset: Artefact;
  readonly rows: DatasetRows;
  readonly shards: Artefact;
  /** Where windows stand. */
  readonly folder: string;
}

/** The tokens of shards while they are trained on, where they are streamed; undefined where all of them are kept. */
export async function streamShards(
  { signal }: Pick<StageDeps, 'signal'>,
  { plan, base, dataset, rows, shards, folder }: StreamShardsRequest,
): Promise<ShardWindows | undefined> {
  const { streamed, day } = await readDocument(join(shards.folder, 'shards.json'), shardsDocument);
  const { diskGiB } = plan.execution;
  if (!streamed || diskGiB === null) return undefined;
  const { render, method } = plan.values;
  const encoder = await openEncoder({ folder: base.folder, render, now: noonOf(day) });
  const rules = { render, layout: methodNamed(method.name).layout, encode: encodeDocuments(encoder) };
  return openWindows({
    shardsFolder: shards.folder,
    rows,
    folder,
    encode: (lines) => encodeBlock(lines, rules),
    disk: await windowsDisk({ diskGiB, dataset, shards }),
    signal,
  });
}

interface DiskRequest {
  readonly diskGiB: number;
  readonly dataset: Artefact;
  readonly shards: Artefact;
}

/** What windows may take beside what dataset and shards do. */
async function windowsDisk({ diskGiB, dataset, shards }: DiskRequest): Promise<WindowsDisk> {
  const bytes = diskGiB * 2 ** 30;
  const file = join(dataset.folder, 'streamed.json');
  // A dataset that was kept before is no more than its folder.
  const fetched = existsSync(file) ? (await readDocument(file, streamedDataset)).fetched : { largest: 0, total: 0 };
  const kept = (await folderBytes(dataset.folder)) + (await folderBytes(shards.folder));
  return { bytes, kept, fetched };
}

/** Told when shards are made, not only when training opens them. @throws MartletError `disk-budget` */
export async function requireWindows(request: DiskRequest): Promise<void> {
  using reader = await openShards(request.shards.folder);
  windowStarts(reader, await windowsDisk(request));
}
