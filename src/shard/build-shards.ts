import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { fingerprint } from '../core/fingerprint.ts';
import { takenRows } from '../core/lost-rows.ts';
import { formatCount, formatPercent, shareAbove } from '../core/units.ts';
import type { Dataset } from '../schema/dataset.ts';
import type { PlanValues } from '../schema/plan.ts';
import type { Packing } from '../schema/recipe.ts';
import type { Shards } from '../schema/shards.ts';
import { requireLittleEndian } from '../store/shards/shard-layout.ts';
import type { EncodeBlock, LostRow } from './encode-block.ts';
import { encodeInOrder } from './encode-in-order.ts';
import { openBuild } from './open-build.ts';
import { packRows } from './pack.ts';
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
  refuseTooLong(lost, values.render);
  checkBudget({ lost, truncated: truncated(), dataset: request.dataset, budget: values.data.budget });
  if (rows('train') === 0)
    throw new MartletError('nothing-to-train', 'no row is left to train on', {
      hint: 'Look at data.split and at the ledger of the dataset.',
    });

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

const shownRows = 8;

const listRows = (lost: readonly LostRow[]): string => {
  const lines = lost.slice(0, shownRows).map(({ place, fate, reason }) => `  ${place} ${fate}: ${reason}`);
  if (lost.length > shownRows) lines.push(`  and ${formatCount(lost.length - shownRows)} more`);
  return lines.join('\n');
};

function refuseTooLong(lost: readonly LostRow[], { overflow, lengthTokens }: PlanValues['render']): void {
  const long = lost.filter((row) => row.fate === 'too-long');
  if (overflow !== 'refuse' || long.length === 0) return;
  const longest = long.reduce((most, row) => Math.max(most, row.longestTokens ?? 0), 0);
  throw new MartletError(
    'row-too-long',
    `${formatCount(long.length)} row${long.length === 1 ? ' is' : 's are'} longer than ${lengthTokens} tokens:\n${listRows(long)}`,
    {
      hint: `Set render.lengthTokens: ${longest} to keep them all, or choose render.overflow: drop, truncate-prompt, truncate-answer or, for plain text, split.`,
    },
  );
}

interface BudgetCheck {
  readonly lost: readonly LostRow[];
  readonly truncated: number;
  readonly dataset: Dataset;
  readonly budget: PlanValues['data']['budget'];
}

/** Over dataset and shards together, so that a budget cannot be spent twice. */
function checkBudget({ lost, truncated, dataset: { fates }, budget }: BudgetCheck): void {
  const kept = fates.train + fates.heldout;
  const taken = takenRows(fates);
  const losses = lost.length + fates.invalid;
  if (lost.length > 0 && losses > budget.dropped * taken) {
    const before = fates.invalid > 0 ? ` (and ${formatCount(fates.invalid)} were invalid before)` : '';
    throw new MartletError(
      'loss-budget',
      `${formatCount(lost.length)} of ${formatCount(kept)} samples become no document${before}; the budget allows ${formatPercent(budget.dropped)} in all:\n${listRows(lost)}`,
      { hint: `Mend the rows, or allow the loss: data.budget.dropped: ${shareAbove(losses / taken)}.` },
    );
  }
  if (truncated > budget.truncated * kept)
    throw new MartletError(
      'loss-budget',
      `${formatCount(truncated)} of ${formatCount(kept)} samples are cut to length; the budget allows ${formatPercent(budget.truncated)}`,
      { hint: `Raise render.lengthTokens, or data.budget.truncated: ${shareAbove(truncated / kept)}.` },
    );
}
