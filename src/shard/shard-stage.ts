import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { fingerprint } from '../core/fingerprint.ts';
import type { Forecast } from '../core/forecast.ts';
import { methodNamed } from '../methods/index.ts';
import { dayOf, encodeDocuments, noonOf, openEncoder } from '../models/encoder.ts';
import { dataset as datasetDocument } from '../schema/dataset.ts';
import type { Plan } from '../schema/plan.ts';
import type { DatasetRows } from '../store/dataset/dataset-rows.ts';
import { inWorkFolder } from '../store/files/work-folder.ts';
import { codeVersion } from '../store/made-by.ts';
import { artefactInput } from '../store/open-store.ts';
import { readDocument } from '../store/read-document.ts';
import { shardCode } from '../store/shards/shard-layout.ts';
import { type Base, baseInput, make, type StageDeps, threadsOf } from '../store/stage.ts';
import type { Artefact } from '../store/store.ts';
import { buildShards } from './build-shards.ts';
import { encodeBlock } from './encode-block.ts';
import { type EncodePool, openEncodePool, smallestForThreads } from './encode-pool.ts';
import { holdToForecast } from './hold-to-forecast.ts';
import { requireWindows } from './stream-shards.ts';

export interface ShardInputs {
  readonly plan: Plan;
  readonly base: Base;
  readonly dataset: Artefact;
  readonly rows: DatasetRows;
  readonly forecast?: Forecast | undefined;
}

/**
 * Reads the dataset's rows; writes ids, weights and what is computed in which step: `shards/<name>@<n>/`.
 * @throws MartletError as `buildShards` does; `disk-budget`; `forecast-differs` for shards that are not what was forecast
 */
export async function shardStage(deps: StageDeps, walk: ShardInputs): Promise<Artefact> {
  const { plan, base, dataset, rows, forecast } = walk;
  const { render, train, data, method, name } = plan.values;
  const { epochs, maxSteps, rowsPerStep, groupByLength, seed } = train;
  const { packTokens, packing, diskGiB } = plan.execution;
  const streamed = diskGiB !== null;
  const day = dayOf(deps.clock());
  const options = { folder: base.folder, render, now: noonOf(day) };
  const encoder = await openEncoder(options);
  const { tokenizer, templateFingerprint, stopTokens } = encoder;
  const layout = methodNamed(method.name).layout;
  const encoding = {
    render,
    layout,
    stopTokens,
    template: templateFingerprint,
    tokenizer: tokenizer.fingerprint,
    code: shardCode,
  };
  const of = {
    ...encoding,
    budget: data.budget,
    epochs,
    maxSteps,
    rowsPerStep,
    groupByLength,
    seed,
    packTokens,
    packing,
    streamed,
  };
  const inputs = [artefactInput(dataset), baseInput(base)];
  let isMade = false;
  const shards = await make(deps, { kind: 'shards', name, of, inputs }, async (folder) => {
    const rules = { layout, render };
    await using pool = await openPool(rows, () => openEncodePool({ encoder: options, ...rules }, threadsOf(plan)));
    const encodeHere = (lines: Uint8Array) => encodeBlock(lines, { ...rules, encode: encodeDocuments(encoder) });
    // The day counts too: a template may write it into a row.
    const key = fingerprint({
      encoding,
      inputs: inputs.map((input) => input.fingerprint),
      day,
      streamed,
    });
    const parent = join(deps.store.root, 'work');
    const built = await inWorkFolder({ parent, key }, async (work) => {
      const made = await buildShards({
        values: plan.values,
        packTokens,
        packing,
        dataset: await readDocument(join(dataset.folder, 'dataset.json'), datasetDocument),
        blocks: (skip) => rows.blocks({ skip, signal: deps.signal }),
        encoders: pool?.encoders ?? [encodeHere],
        folder: work,
        tokenizerFingerprint: tokenizer.fingerprint,
        templateFingerprint,
        stopTokens,
        layout,
        streamed,
        day,
        code: `martlet ${(await codeVersion()).version}, shards ${shardCode}`,
        signal: deps.signal,
      });
      for (const name of await readdir(work)) await rename(join(work, name), join(folder, name));
      return made;
    });
    // What is wrong becomes no version.
    isMade = true;
    await holdToForecast({ folder, forecast, rows });
    const { splits, epochs, lost, truncated, split } = built;
    const [first] = lost;
    const firstLost = first === undefined ? null : { place: first.place ?? null, fate: first.fate };
    return { splits, epochs, lost: lost.length, firstLost, truncated, split };
  });
  if (!isMade) await holdToForecast({ folder: shards.folder, found: shards, forecast, rows });
  if (diskGiB !== null) await requireWindows({ diskGiB, dataset, shards });
  return shards;
}

/** Threads, where the rows are many enough. */
async function openPool(rows: DatasetRows, open: () => EncodePool): Promise<EncodePool | undefined> {
  return (await rows.bytes()) > smallestForThreads ? open() : undefined;
}
