import type { Issue } from '../../core/issue.ts';
import { addLost, type LostReason } from '../../core/lost-rows.ts';
import type { LedgerEntry, StepAccount } from '../../schema/dataset.ts';
import { type Fate, fates } from '../../schema/fates.ts';
import { stepIssue } from '../row-notes.ts';
import { type LackingColumn, type LackingTotals, lackingColumns } from '../steps/lacking-columns.ts';
import type { OddRow } from './part-file.ts';
import type { RowState } from './row-state.ts';

/** What all rows came to. */
export interface DatasetAccounts {
  readonly rowsIn: number;
  readonly fates: Record<Fate, number>;
  readonly steps: readonly StepAccount[];
  /** Rows kept whose text was cut. */
  readonly truncated: number;
  /** The first day on which a row held back now may be used. */
  readonly changesOn: string | null;
  /** What the first rows were lost for, and all of them by code. */
  readonly lost: readonly LostReason[];
  readonly lostByCode: ReadonlyMap<string, number>;
  /** What was changed in rows or found in them while they were read, by kind; the commonest first. */
  readonly remarks: readonly Remark[];
  /** Columns that steps name and rows have not. */
  readonly lacking: readonly LackingColumn[];
}

export interface Remark {
  readonly rows: number;
  /** The first, with its place. */
  readonly first: string;
}

/** Kinds of remarks that are counted; names of keys make as many as there are names. */
const mostKinds = 1000;

interface AddRequest {
  readonly state: RowState | undefined;
  readonly entry: LedgerEntry;
  readonly reading: OddRow[1] | undefined;
  readonly isHeldout: boolean;
}

/** What was counted: plain data. */
export interface AccountTotals {
  rowsIn: number;
  readonly fates: Record<Fate, number>;
  readonly steps: readonly StepTotals[];
  truncated: number;
  changesOn: string | null;
  readonly lost: LostReason[];
  readonly lostByCode: Map<string, number>;
  /** By kind. */
  readonly remarks: Map<string, { rows: number; readonly first: string }>;
  readonly lacking: LackingTotals;
}

interface StepTotals {
  readonly step: string;
  /** By fate and code. */
  readonly ended: Map<string, Omit<StepAccount['ended'][number], 'rows'> & { rows: number }>;
  changed: number;
  truncated: number;
  example: string | null;
}

const nothingCounted = (names: readonly string[]): AccountTotals => ({
  rowsIn: 0,
  fates: Object.fromEntries(fates.map((fate) => [fate, 0])) as Record<Fate, number>,
  steps: names.map((step) => ({ step, ended: new Map(), changed: 0, truncated: 0, example: null })),
  truncated: 0,
  changesOn: null,
  lost: [],
  lostByCode: new Map(),
  remarks: new Map(),
  lacking: new Map(),
});

/** Counts what rows come to, one after the other. `names`: the steps, `read` first. */
export function openAccounts(names: readonly string[]) {
  const totals = nothingCounted(names);
  const { steps, remarks, lost, lostByCode } = totals;
  const lacking = lackingColumns(totals.lacking);

  const addEnd = (entry: LedgerEntry, step: number): void => {
    const { fate, code, source, line, reason } = entry;
    const key = `${fate} ${code}`;
    const ended = steps[step]?.ended;
    const known = ended?.get(key);
    if (known) known.rows++;
    else ended?.set(key, { fate, code: code ?? fate, rows: 1, example: { source, line, reason: reason ?? '' } });
  };
  const addRemark = (change: string, place: string): void => {
    const kind = change.replaceAll(/\d+/g, 'n');
    const known = remarks.get(kind);
    if (known) known.rows++;
    else if (remarks.size < mostKinds) remarks.set(kind, { rows: 1, first: `${place} ${change}` });
  };
  return {
    names,
    totals,
    addPlain({ train, heldout }: { readonly train: number; readonly heldout: number }): void {
      totals.fates.train += train;
      totals.fates.heldout += heldout;
      totals.rowsIn += train + heldout;
    },
    add({ entry, state, reading, isHeldout }: AddRequest): void {
      totals.rowsIn++;
      const wasRead = reading === undefined || reading.fate === 'train' || reading.fate === 'heldout';
      const endStep = state?.end ? state.end.step : wasRead ? null : 0;
      if (endStep === null) totals.fates[isHeldout ? 'heldout' : 'train']++;
      else {
        totals.fates[entry.fate]++;
        addEnd(entry, endStep);
      }
      if (state?.truncated && endStep === null) totals.truncated++;
      const place = `${entry.file ?? entry.source}:${entry.line}`;
      for (const step of state?.changedAt ?? []) {
        const account = steps[step];
        if (!account) continue;
        account.changed++;
        account.example ??= `${place} ${state?.changes.find((change) => change.startsWith(`${account.step}: `)) ?? ''}`;
      }
      // Reading is the step before the first of the recipe.
      for (const { step, lacks } of state?.lacks ?? []) lacking.add({ step: step - 1, lacks, place });
      for (const step of state?.truncatedAt ?? []) if (steps[step]) steps[step].truncated++;
      const isLimited = entry.fate === 'limited' && entry.step === 'read';
      if (reading && !isLimited) {
        totals.changesOn = earlier(totals.changesOn, reading.embargo);
        if (reading.changes.length > 0) {
          for (const change of reading.changes) addRemark(change, place);
          const [read] = steps;
          if (read && wasRead && state?.end?.step !== 0) {
            read.changed++;
            read.example ??= `${place} ${reading.changes[0]}`;
          }
        }
      }
      if (entry.fate !== 'invalid') return;
      const issue =
        (reading?.issue as Issue | null | undefined) ??
        stepIssue(entry, { step: (endStep ?? 1) - 1, code: entry.code ?? entry.fate, reason: entry.reason ?? '' });
      lostByCode.set(issue.code, (lostByCode.get(issue.code) ?? 0) + 1);
      addLost(lost, { issue, rows: 1 });
    },
    /** What was counted of rows that follow. */
    addAll(more: AccountTotals): void {
      totals.rowsIn += more.rowsIn;
      for (const fate of fates) totals.fates[fate] += more.fates[fate];
      for (const [index, step] of steps.entries()) {
        const { ended = new Map(), changed = 0, truncated = 0, example = null } = more.steps[index] ?? {};
        addRows(step.ended, ended);
        step.changed += changed;
        step.truncated += truncated;
        step.example ??= example;
      }
      totals.truncated += more.truncated;
      totals.changesOn = earlier(totals.changesOn, more.changesOn);
      for (const reason of more.lost) addLost(lost, reason);
      for (const [code, rows] of more.lostByCode) lostByCode.set(code, (lostByCode.get(code) ?? 0) + rows);
      addRows(remarks, more.remarks, mostKinds);
      addRows(totals.lacking, more.lacking);
    },
    close(): DatasetAccounts {
      let reached = totals.rowsIn;
      const closed = steps.map(({ step, ended, ...more }) => {
        const all = [...ended.values()];
        const rowsOut = reached - all.reduce((sum, { rows }) => sum + rows, 0);
        const account = {
          step,
          rowsIn: reached,
          rowsOut,
          changed: more.changed,
          truncated: more.truncated,
          ended: all,
          example: more.example,
        };
        reached = rowsOut;
        return account;
      });
      return {
        ...totals,
        steps: closed,
        remarks: [...remarks.values()].sort((a, b) => b.rows - a.rows),
        lacking: lacking.all((step) => closed[step + 1]?.rowsIn ?? 0),
      };
    },
  };
}

function earlier(day: string | null, other: string | null): string | null {
  return day === null || (other !== null && other < day) ? other : day;
}

/** At most so many keys; what is known of the first row under each stays. */
function addRows<T extends { rows: number }>(
  to: Map<string, T>,
  ...[more, most]: [ReadonlyMap<string, T>, number?]
): void {
  for (const [key, value] of more) {
    const known = to.get(key);
    if (known) known.rows += value.rows;
    else if (to.size < (most ?? Number.POSITIVE_INFINITY)) to.set(key, { ...value });
  }
}
