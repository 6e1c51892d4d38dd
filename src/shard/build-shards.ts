import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { formatCount } from '../core/units.ts';
import type { Dataset } from '../schema/dataset.ts';
import type { PlanValues } from '../schema/plan.ts';
import type { Sample } from '../schema/sample.ts';
import type { Shards } from '../schema/shards.ts';
import { createFileWriter } from '../store/file-writer.ts';
import { requireLittleEndian } from '../store/shard-layout.ts';
import { documentsOf, type EncodeSample } from './documents.ts';
import { scheduleSteps } from './schedule.ts';
import { createSplitWriter } from './split-writer.ts';

export interface BuildShardsRequest {
  readonly values: PlanValues;
  /** Most tokens of a pack; a longer row gets a pack of its own. */
  readonly packTokens: number;
  /** The account of the dataset: losses there and here share one budget. */
  readonly dataset: Dataset;
  readonly samples: () => AsyncIterable<Sample>;
  readonly encode: EncodeSample;
  /** An empty folder. */
  readonly folder: string;
  readonly tokenizerFingerprint: string;
  readonly templateFingerprint: string;
  readonly stopTokens: readonly number[];
  readonly layout: Shards['layout'];
  readonly signal?: AbortSignal;
}

/**
 * Writes the files of `schema/shards.ts`: every sample as tokens, and the order they are trained in. A pure function of
 * samples, values and `encode`.
 * @throws MartletError `row-too-long` (overflow: refuse), `loss-budget`, `nothing-to-train`, `shards-too-large`.
 */
export async function buildShards(request: BuildShardsRequest): Promise<Shards> {
  const { values, folder, layout, packTokens } = request;
  requireLittleEndian();
  const lost: LostRow[] = [];
  let truncated = 0;
  let split = 0;
  await using train = await createSplitWriter(folder, { split: 'train', packTokens });
  await using heldout = await createSplitWriter(folder, { split: 'heldout', packTokens });
  const rules = { layout, encode: request.encode, render: values.render };
  const rows = { train: 0, heldout: 0 };
  for await (const sample of request.samples()) {
    request.signal?.throwIfAborted();
    const result = await documentsOf(sample, rules);
    if ('fate' in result) {
      lost.push({ ...result, id: sample.id, place: `${sample.provenance.file}:${sample.provenance.line}` });
      continue;
    }
    if (result.truncated) truncated++;
    if (result.split) split++;
    rows[sample.split]++;
    await (sample.split === 'train' ? train : heldout).addRow(sample, result.documents);
  }
  refuseTooLong(lost, values.render);
  checkBudget({ lost, truncated, dataset: request.dataset, budget: values.data.budget });
  if (rows.train === 0)
    throw new MartletError('nothing-to-train', 'no row is left to train on', {
      hint: 'Look at data.split and at the ledger of the dataset.',
    });

  let scheduled = 0;
  const steps = function* (): Generator<readonly number[]> {
    for (const step of scheduleSteps(rows.train, values.train)) {
      scheduled += step.length;
      yield step;
    }
  };
  const trainCounts = await train.finish(steps());
  const heldoutCounts = await heldout.finish(
    rows.heldout > 0 ? [Array.from({ length: rows.heldout }, (_, row) => row)] : [],
  );
  const manifest: Shards = {
    schema: 'shards/1',
    layout,
    packTokens,
    lengthTokens: values.render.lengthTokens,
    epochs: scheduled / rows.train,
    tokenizer: request.tokenizerFingerprint,
    template: request.templateFingerprint,
    stopTokens: [...request.stopTokens],
    splits: { train: trainCounts, heldout: heldoutCounts },
    lost: lost.map(({ id, fate, reason }) => ({ id, fate, reason })),
    truncated,
    split,
  };
  await using document = await createFileWriter(join(folder, 'shards.json'));
  await document.write(`${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

interface LostRow {
  readonly id: string;
  readonly place: string;
  readonly fate: Shards['lost'][number]['fate'];
  readonly reason: string;
  readonly longestTokens?: number;
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
    { hint: `Set render.lengthTokens: ${longest} to keep them all, or render.overflow: drop or truncate-prompt.` },
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
  const taken = kept + fates.duplicate + fates.embargoed + fates.invalid;
  const losses = lost.length + fates.invalid;
  if (lost.length > 0 && losses > budget.dropped * taken) {
    const before = fates.invalid > 0 ? ` (and ${formatCount(fates.invalid)} were invalid before)` : '';
    throw new MartletError(
      'loss-budget',
      `${formatCount(lost.length)} of ${formatCount(kept)} samples become no document${before}; the budget allows ${percent(budget.dropped)} in all:\n${listRows(lost)}`,
      { hint: `Mend the rows, or allow the loss: data.budget.dropped: ${shareAbove(losses / taken)}.` },
    );
  }
  if (truncated > budget.truncated * kept)
    throw new MartletError(
      'loss-budget',
      `${formatCount(truncated)} of ${formatCount(kept)} samples are cut to length; the budget allows ${percent(budget.truncated)}`,
      { hint: `Raise render.lengthTokens, or data.budget.truncated: ${shareAbove(truncated / kept)}.` },
    );
}

const percent = (share: number): string => `${Number((share * 100).toPrecision(3))} %`;

/** Rounded up, so that it is enough. */
const shareAbove = (share: number): number => Math.ceil(share * 1e4) / 1e4;
