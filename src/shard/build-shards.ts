import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fingerprint } from '../core/fingerprint.ts';
import type { Dataset } from '../schema/dataset.ts';
import type { PlanValues } from '../schema/plan.ts';
import type { Packing } from '../schema/recipe.ts';
import type { Shards } from '../schema/shards.ts';
import { requireLittleEndian } from '../store/shards/shard-layout.ts';
import type { EncodeBlock } from './encode-block.ts';
import { encodeInOrder } from './encode-in-order.ts';
import { openBuild } from './open-build.ts';
import { packRows } from './pack.ts';
import { refuseLosses } from './refuse-losses.ts';
import { type ScheduledRows, scheduleSteps } from './schedule.ts';

export interface BuildShardsRequest {
  readonly values: PlanValues;
  /** Most tokens of a pack; a longer row gets a pack of its own. */
  readonly packTokens: number;
  readonly packing: Packing;
  /** The account of the dataset: losses there and here share one budget. */
  readonly dataset: Dataset;
  /** Whole lines of the dataset's `rows.jsonl`, cut at the same places each time; the first `skip` are left out. */
  readonly blocks: (skip: number) => AsyncIterable<Uint8Array>;
  /** Each encodes one block at a time; how many there are does not change the result. */
  readonly encoders: readonly EncodeBlock[];
  /** An empty folder, or one that an interrupted build of the same left behind. */
  readonly folder: string;
  readonly tokenizerFingerprint: string;
  readonly templateFingerprint: string;
  readonly stopTokens: readonly number[];
  readonly layout: Shards['layout'];
  /** Leaves out the tokens of training rows: they are made while training. */
  readonly streamed?: boolean;
  /** The day that templates are told. */
  readonly day: string;
  readonly code: string;
  readonly onProgress?: ((blocks: number) => void) | undefined;
  readonly signal?: AbortSignal;
}

/** What of a recipe decides the tokens of a row. */
export function recipePart({ render, method, data }: PlanValues, layout: Shards['layout']): string {
  return fingerprint({ render, method: method.name, layout, budget: data.budget });
}

/**
 * Writes the files of `schema/shards.ts`: every row as tokens, and the order they are trained in. A pure function of rows,
 * values and the encoding: neither the number of encoders nor an interruption changes a byte, and the order in which
 * sources were read changes no step.
 * @throws MartletError `row-too-long` (overflow: refuse), `loss-budget`, `nothing-to-train`, `shards-too-large`.
 */
export async function buildShards(request: BuildShardsRequest): Promise<Shards> {
  const { values, folder, layout, packTokens, packing, streamed = false } = request;
  requireLittleEndian();
  await using build = await openBuild(folder, { layout, streamed });
  const { train, heldout } = build;
  for await (const { index, block } of encodeInOrder(request, build.blocks)) {
    await build.add(block);
    request.onProgress?.(index + 1);
  }
  const { lost, truncated, rows } = build;
  const { fates } = request.dataset;
  refuseLosses({ lost, truncated: truncated(), fates, trainRows: rows('train'), ...values });

  let scheduled = 0;
  const packed = (rows: readonly number[], { tokens }: ScheduledRows): readonly (readonly number[])[] => {
    const sizes = rows.map((row) => tokens[row] ?? 0);
    return packRows(sizes, { capacity: packTokens, packing }).map((pack) => pack.map((index) => rows[index] ?? 0));
  };
  const trainCounts = await train.finish(function* (of) {
    for (const step of scheduleSteps(of, values.train)) {
      scheduled += step.length;
      yield packed(step, of);
    }
  });
  const heldoutCounts = await heldout.finish((of) => (of.order.length > 0 ? [packed(Array.from(of.order), of)] : []));
  const manifest: Shards = {
    schema: 'shards/4',
    layout,
    packTokens,
    packing,
    lengthTokens: values.render.lengthTokens,
    epochs: scheduled / trainCounts.rows,
    streamed,
    day: request.day,
    tokenizer: request.tokenizerFingerprint,
    template: request.templateFingerprint,
    recipe: recipePart(values, layout),
    code: request.code,
    stopTokens: [...request.stopTokens],
    splits: { train: trainCounts, heldout: heldoutCounts },
    lost: lost.map(({ id, place, fate, reason }) => ({ id, place, fate, reason })),
    truncated: truncated(),
    split: build.split(),
  };
  await build.finish();
  await writeFile(join(folder, 'shards.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}
