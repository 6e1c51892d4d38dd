import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Issue } from '../../core/issue.ts';
import { type Fate, fates, type LedgerEntry, type StepAccount } from '../../schema/dataset.ts';
import { createFileWriter, type FileWriter } from '../../store/file-writer.ts';
import type { Drop } from '../steps/step.ts';
import { type Cache, openCache } from './cache.ts';
import { changedLines, type Delta } from './delta-file.ts';
import { decodePart, lineOf, type OddRow, parseLine } from './part-file.ts';
import type { BatchOutcome, StepsOutcome } from './run-steps.ts';
import { deltaNamed } from './work.ts';

export interface WriteDatasetRequest {
  readonly folder: string;
  readonly cacheFolder: string;
  readonly outcome: StepsOutcome;
}

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
  /** Rows changed while they were read, and the first of them. */
  readonly changedByReading: number;
  readonly firstChange: string;
}

const shownLosses = 8;

/** Writes `rows.jsonl` and `ledger.jsonl`; rows and entries nobody touched are copied as they stand. */
export async function writeDataset({ folder, cacheFolder, outcome }: WriteDatasetRequest): Promise<DatasetAccounts> {
  const cache = openCache(cacheFolder);
  const accounts = openAccounts(outcome.names);
  const { order } = outcome;
  const unordered = join(folder, '.rows.unordered');
  const ends = order && new Float64Array(outcome.batches.reduce((sum, { rows }) => sum + rows, 0));
  {
    await using rows = await createFileWriter(order ? unordered : join(folder, 'rows.jsonl'));
    await using ledger = await createFileWriter(join(folder, 'ledger.jsonl'));
    let number = 0;
    let written = 0;
    for (const batch of outcome.batches) {
      const states = await statesOf(cache, batch, outcome.names);
      await writeBatch({ states, rows, ledger, accounts });
      if (ends)
        for (const length of states.lengths()) {
          written += length;
          ends[number++] = written;
        }
    }
  }
  if (order && ends) {
    await gather({ from: unordered, to: join(folder, 'rows.jsonl'), order, ends });
    await rm(unordered);
  }
  return accounts.close();
}

type States = Awaited<ReturnType<typeof statesOf>>;

/** Where each row of a batch has come to. */
async function statesOf(cache: Cache, ...[{ part: name, deltas: names }, steps]: [BatchOutcome, readonly string[]]) {
  const bytes = await cache.read(name);
  const part = bytes && decodePart(bytes);
  if (!part) throw new Error(`the part ${name} is gone`);
  const deltas = await Promise.all(names.map((delta) => deltaNamed(cache, delta)));
  const touched = new Map<number, RowState>();
  const stateOf = (row: number): RowState => {
    const known = touched.get(row);
    if (known) return known;
    const fresh: RowState = {
      end: null,
      changes: [],
      line: null,
      id: null,
      truncated: false,
      changedAt: [],
      truncatedAt: [],
    };
    touched.set(row, fresh);
    return fresh;
  };
  const isKept = (row: number): boolean => lineOf(part.rows, part.rowEnds, row).length > 0;
  const odd = new Map<number, OddRow[1]>(part.head.odd);
  for (const [step, delta] of deltas.entries()) applyDelta({ delta, step, name: steps[step] ?? '', stateOf, isKept });
  return {
    part,
    odd,
    touched,
    *lengths(): Generator<number> {
      for (let row = 0; row < part.head.rows; row++) {
        const state = touched.get(row);
        yield state?.end ? 0 : (state?.line ?? lineOf(part.rows, part.rowEnds, row)).length;
      }
    },
  };
}

interface RowState {
  end: { readonly step: number; readonly drop: Drop } | null;
  /** By the steps after reading. */
  readonly changes: string[];
  line: Buffer | null;
  id: string | null;
  truncated: boolean;
  readonly changedAt: number[];
  readonly truncatedAt: number[];
}

interface ApplyRequest {
  readonly delta: Delta;
  readonly step: number;
  readonly name: string;
  readonly stateOf: (row: number) => RowState;
  readonly isKept: (row: number) => boolean;
}

function applyDelta({ delta, step, name, stateOf, isKept }: ApplyRequest): void {
  const lines = new Map([...changedLines(delta)].map(([{ row }, line]) => [row, line]));
  for (const { row, drop, changes = [], truncated, id } of delta.rows) {
    // A limit may end a row that could not be read; a step has no business with one that is not there.
    if (!isKept(row) && step > 0) continue;
    const state = stateOf(row);
    if (state.end) continue;
    state.changes.push(...changes.map((change) => `${name}: ${change}`));
    if (drop) {
      state.end = { step, drop };
      continue;
    }
    state.changedAt.push(step);
    if (truncated) {
      state.truncated = true;
      state.truncatedAt.push(step);
    }
    const line = lines.get(row);
    if (line) state.line = line;
    if (id !== undefined) state.id = id;
  }
}

interface WriteBatchRequest {
  readonly states: States;
  readonly rows: FileWriter;
  readonly ledger: FileWriter;
  readonly accounts: ReturnType<typeof openAccounts>;
}

async function writeBatch({
  states: { part, odd, touched },
  rows,
  ledger,
  accounts,
}: WriteBatchRequest): Promise<void> {
  const heldout = new Set(part.head.heldout);
  const copy = async (from: number, to: number): Promise<void> => {
    await rows.write(part.rows.subarray(startOf(part.rowEnds, from), startOf(part.rowEnds, to)));
    await ledger.write(part.ledger.subarray(startOf(part.ledgerEnds, from), startOf(part.ledgerEnds, to)));
  };
  const special = [...new Set([...touched.keys(), ...odd.keys()])].sort((a, b) => a - b);
  let from = 0;
  for (const row of special) {
    const state = touched.get(row);
    const reading = odd.get(row);
    const base = parseLine<LedgerEntry>(lineOf(part.ledger, part.ledgerEnds, row));
    const entry = entryOf({ base, state, names: accounts.names });
    accounts.add({ entry, state, reading, isHeldout: heldout.has(row) });
    if (!state) continue;
    await copy(from, row);
    from = row + 1;
    await ledger.writeJson(entry);
    if (!state.end) await rows.write(state.line ?? lineOf(part.rows, part.rowEnds, row));
  }
  await copy(from, part.head.rows);
  const plain = part.head.rows - special.length;
  const plainHeldout = part.head.heldout.reduce((count, row) => count + (touched.has(row) || odd.has(row) ? 0 : 1), 0);
  accounts.addPlain({ train: plain - plainHeldout, heldout: plainHeldout });
}

const startOf = (ends: Uint32Array, row: number): number => (row === 0 ? 0 : (ends[row - 1] ?? 0));

interface EntryRequest {
  readonly base: LedgerEntry;
  readonly state: RowState | undefined;
  readonly names: readonly string[];
}

function entryOf({ base, state, names }: EntryRequest): LedgerEntry {
  if (!state) return base;
  const { end, truncated } = state;
  const changes = [...base.changes, ...state.changes];
  if (!end) return { ...base, id: state.id ?? base.id, changes, ...(truncated && { truncated }) };
  const { fate, code, reason } = end.drop;
  // Nobody looks into a row beyond a limit.
  const isBeyond = end.step === 0 && fate === 'limited';
  const step = names[end.step] ?? '';
  return {
    ...base,
    fate,
    step,
    code,
    reason,
    id: isBeyond ? null : (state.id ?? base.id),
    changes: isBeyond ? [] : changes,
  };
}

interface AddRequest extends Pick<EntryRequest, 'state'> {
  readonly entry: LedgerEntry;
  readonly reading: OddRow[1] | undefined;
  readonly isHeldout: boolean;
}

function openAccounts(names: readonly string[]) {
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
  let rowsIn = 0;
  let truncated = 0;
  let changesOn: string | null = null;
  let changedByReading = 0;
  let firstChange = '';

  const addEnd = (entry: LedgerEntry, step: number): void => {
    const { fate, code, source, line, reason } = entry;
    const key = `${fate} ${code}`;
    const ended = steps[step]?.ended;
    const known = ended?.get(key);
    if (known) known.rows++;
    else ended?.set(key, { fate, code: code ?? fate, rows: 1, example: { source, line, reason: reason ?? '' } });
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
      for (const step of state?.truncatedAt ?? []) if (steps[step]) steps[step].truncated++;
      const isLimited = entry.fate === 'limited' && entry.step === 'read';
      if (reading && !isLimited) {
        if (reading.embargo !== null && (changesOn === null || reading.embargo < changesOn))
          changesOn = reading.embargo;
        if (reading.changes.length > 0) {
          changedByReading++;
          firstChange ||= `${place} ${reading.changes[0]}`;
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
        changedByReading,
        firstChange,
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

interface GatherRequest {
  readonly from: string;
  readonly to: string;
  /** Numbers of rows, in the order in which they are written. */
  readonly order: Uint32Array;
  /** Where each row ends in `from`. */
  readonly ends: Float64Array;
}

/** Bytes of rows held at once. */
const windowBytes = 2 ** 26;

/** Copies rows in another order: as many as a window holds are read in the order they lie in, then written. */
async function gather({ from, to, order, ends }: GatherRequest): Promise<void> {
  const handle = await open(from);
  try {
    await using writer = await createFileWriter(to);
    const startOf = (row: number): number => (row === 0 ? 0 : (ends[row - 1] ?? 0));
    const lengthOf = (row: number): number => (ends[row] ?? 0) - startOf(row);
    for (let first = 0; first < order.length; ) {
      let bytes = 0;
      let last = first;
      while (last < order.length && (last === first || bytes + lengthOf(order[last] ?? 0) <= windowBytes))
        bytes += lengthOf(order[last++] ?? 0);
      const window = Buffer.allocUnsafe(bytes);
      const places = new Float64Array(last - first);
      for (let i = first, at = 0; i < last; at += lengthOf(order[i++] ?? 0)) places[i - first] = at;
      const byPlace = Uint32Array.from({ length: last - first }, (_, i) => i);
      byPlace.sort((a, b) => (order[first + a] ?? 0) - (order[first + b] ?? 0));
      for (const i of byPlace) {
        const row = order[first + i] ?? 0;
        await handle.read(window, places[i] ?? 0, lengthOf(row), startOf(row));
      }
      await writer.write(window);
      first = last;
    }
  } finally {
    await handle.close();
  }
}
