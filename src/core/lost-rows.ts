import { type Fate, takenFates } from '../schema/fates.ts';
import { formatIssue, formatPath, type Issue } from './issue.ts';
import { formatCount, formatPercent, shareAbove } from './units.ts';

type RowsByFate = Readonly<Partial<Record<Fate, number>>>;

/** Rows that cannot be used, and what they are held against. */
export interface LostRows {
  readonly fates: RowsByFate;
  /** Rows that cannot be used, by what is wrong with them. */
  readonly byCode: Readonly<Record<string, number>>;
  /** What is wrong with the first of them, once for each reason. */
  readonly issues: readonly Issue[];
  /** How many rows each of the issues is told of; one each when absent. */
  readonly alike?: readonly number[];
}

/** What is wrong with the first of the rows it is wrong with, and how many there are. */
export interface LostReason {
  readonly issue: Issue;
  rows: number;
}

/** Reasons that are told of. */
const shownReasons = 8;

/** Counts a loss under its reason, as far as there are few. */
export function addLost(reasons: LostReason[], { issue, rows }: LostReason): void {
  const known = reasons.find(({ issue: other }) => isAlike(other, issue));
  if (known) known.rows += rows;
  else if (reasons.length < shownReasons) reasons.push({ issue, rows });
}

/** Rows without the column of the split are put together by themselves, with the places of some. */
const isAlike = (a: Issue, b: Issue): boolean =>
  a.code === b.code &&
  a.code !== lackingSplit &&
  a.message === b.message &&
  a.fix === b.fix &&
  formatPath(a.path) === formatPath(b.path);

/** Rows that the budget for losses counts. */
export const takenRows = (fates: RowsByFate): number => takenFates.reduce((sum, fate) => sum + (fates[fate] ?? 0), 0);

/**
 * Whether the budget allows for the rows that cannot be used. Only those are lost against anyone's will: limits and filters are
 * asked for, an embargo is the row's own terms, and what a duplicate says is said by the first of its kind.
 */
export const isWithinBudget = ({ fates }: Pick<LostRows, 'fates'>, allowed: number): boolean =>
  (fates.invalid ?? 0) <= allowed * takenRows(fates);

/** What is lost and what was left out beside it, in a sentence; what to do; and the first rows, a line each. */
export function tellLost({ fates, byCode, issues, alike = [] }: LostRows, allowed: number) {
  const { invalid = 0 } = fates;
  const codes = Object.entries(byCode)
    .sort(([, a], [, b]) => b - a)
    .map(([code, count]) => `${formatCount(count)} ${code}`);
  const more =
    invalid -
    issues.reduce(
      (sum, { code }, index) => sum + (code === lackingSplit ? (byCode[code] ?? 1) : (alike[index] ?? 1)),
      0,
    );
  const beside = leftOut(fates);
  return {
    message: `${formatCount(invalid)} of ${formatCount(takenRows(fates))} rows cannot be used (${codes.join(', ')}); the budget allows ${formatPercent(allowed)}${beside && ` (not counted: ${beside})`}`,
    fix:
      // A loss of most rows for a name that is wrong is none to allow.
      (2 * (byCode[lackingSplit] ?? 0) > takenRows(fates)
        ? 'Mend data.split.by: most rows have no such column.'
        : `Mend the rows, or allow the loss: data.budget.dropped: ${shareAbove(invalid / Math.max(1, takenRows(fates)))}.`) +
      (more > 0 ? ' Built so, `martlet data ledger <recipe> --rows invalid` lists them all.' : ''),
    lines: [
      ...issues.map((issue, index) => {
        const rows = alike[index] ?? 1;
        return rows > 1 ? `${formatIssue(issue)} (${formatCount(rows)} rows so)` : formatIssue(issue);
      }),
      ...(more > 0 ? [`and ${formatCount(more)} more`] : []),
    ],
  };
}

/** `18 filtered, 3 limited`: rows that are left out as was asked for. */
export const leftOut = (fates: RowsByFate): string =>
  Object.entries(fates)
    .filter(([fate, rows]) => rows > 0 && !takenFates.some((taken) => taken === fate))
    .map(([fate, rows]) => `${formatCount(rows)} ${fate}`)
    .join(', ');

/** The code of rows without the column that `data.split.by` names: told once, for all of them. */
export const lackingSplit = 'split-column-missing';
