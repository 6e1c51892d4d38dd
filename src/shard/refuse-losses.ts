import { MartletError } from '../core/error.ts';
import { takenRows } from '../core/lost-rows.ts';
import { formatCount, formatPercent, shareAbove } from '../core/units.ts';
import type { Dataset } from '../schema/dataset.ts';
import type { PlanValues } from '../schema/plan.ts';
import type { LostRow } from './encode-block.ts';

export interface Losses extends Pick<PlanValues, 'render' | 'data'> {
  /** Rows that became no document. */
  readonly lost: readonly LostRow[];
  /** Rows that were cut to length. */
  readonly truncated: number;
  /** Of the dataset they come from. */
  readonly fates: Dataset['fates'];
  /** Rows of the training split that became documents. */
  readonly trainRows: number;
}

/**
 * Refuses shards that would lose more rows than the recipe allows.
 * @throws MartletError `row-too-long` (overflow: refuse), `loss-budget`, `nothing-to-train`
 */
export function refuseLosses(losses: Losses): void {
  refuseTooLong(losses.lost, losses.render);
  checkBudget(losses);
  if (losses.trainRows === 0)
    throw new MartletError('nothing-to-train', 'no row is left to train on', {
      hint: 'Look at data.split and at the ledger of the dataset.',
    });
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

/** Over dataset and shards together, so that a budget cannot be spent twice. */
function checkBudget({ lost, truncated, fates, data: { budget } }: Losses): void {
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
