import type { Issue } from '../../core/issue.ts';
import { type Fate, fates, type LedgerEntry, type StepAccount } from '../../schema/dataset.ts';
import { type LackingColumn, lackingColumns } from '../steps/lacking-columns.ts';
import type { RowState } from './batch-states.ts';
import type { OddRow } from './part-file.ts';

/** What all rows came to. */
export interface DatasetAccounts {
  readonly rowsIn: number;
  readonly fates: Record<Fate, number>;
  readonly steps: readonly StepAccount[];
  /** Rows kept whose text was cut. */
  readonly truncated: number;
  /** The first day on which a row held back now may be used. */
  readonly changesOn: string | null;
  /** The first rows that were lost, and all of them by code. */
  readonly lost: readonly Issue[];
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

const shownLosses = 8;
/** Kinds of remarks that are counted; names of keys make as many as there are names. */
const mostKinds = 1000;

interface AddRequest {
  readonly state: RowState | undefined;
  readonly entry: LedgerEntry;
  readonly reading: OddRow[1] | undefined;
  readonly isHeldout: boolean;
}

/** Counts what rows come to, one after the other. `names`: the steps, `read` first. */
export function openAccounts(names: readonly string[]) {
  const counts = Object.fromEntries(fates.map((fate) => [fate, 0])) as Record<Fate, number>;
  const steps = names.map((step) => ({
    step,
    ended: new Map<
      string,
      { fate: Fate; code: string; rows: number; example: StepAccount['ended'][number]['example'] }
    >(),
    changed: 0,
    truncated: 0,
    example: null as string | null,
  }));
  const lost: Issue[] = [];
  const lostByCode = new Map<string, number>();
  const lacking = lackingColumns();
  let rowsIn = 0;
  let truncated = 0;
  let changesOn: string | null = null;
  const remarks = new Map<string, { rows: number; first: string }>();

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
    addPlain({ train, heldout }: { readonly train: number; readonly heldout: number }): void {
      counts.train += train;
      counts.heldout += heldout;
      rowsIn += train + heldout;
    },
    add({ entry, state, reading, isHeldout }: AddRequest): void {
      rowsIn++;
      const wasRead = reading === undefined || reading.fate === 'train' || reading.fate === 'heldout';
      const endStep = state?.end ? state.end.step : wasRead ? null : 0;
      if (endStep === null) counts[isHeldout ? 'heldout' : 'train']++;
      else {
        counts[entry.fate]++;
        addEnd(entry, endStep);
      }
      if (state?.truncated && endStep === null) truncated++;
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
        if (reading.embargo !== null && (changesOn === null || reading.embargo < changesOn))
          changesOn = reading.embargo;
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
      const issue = (reading?.issue as Issue | null | undefined) ?? stepIssue(entry, endStep ?? 0);
      lostByCode.set(issue.code, (lostByCode.get(issue.code) ?? 0) + 1);
      if (lost.length < shownLosses) lost.push(issue);
    },
    close(): DatasetAccounts {
      let reached = rowsIn;
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
        rowsIn,
        fates: counts,
        steps: closed,
        truncated,
        changesOn,
        lost,
        lostByCode,
        remarks: [...remarks.values()].sort((a, b) => b.rows - a.rows),
        lacking: lacking.all((step) => closed[step + 1]?.rowsIn ?? 0),
      };
    },
  };
}

function stepIssue({ source, line, code, reason }: LedgerEntry, step: number): Issue {
  return {
    code: code ?? 'invalid',
    severity: 'error',
    path: ['data', 'steps', step - 1],
    place: { file: source, line, column: 1 },
    message: `${reason}.`,
  };
}
