import type { LedgerEntry } from '../../schema/dataset.ts';
import type { openAccounts } from './dataset-accounts.ts';
import { changedLines, type Delta } from './delta-file.ts';
import { lineOf, type OddRow, type Part, parseLine } from './part-file.ts';
import type { RowState } from './row-state.ts';

export interface DoneBatch {
  readonly part: Part;
  /** What was done to it: by reading, then by each step. */
  readonly deltas: readonly Delta[];
}

export type BatchStates = ReturnType<typeof statesOf>;

/** Where each row of a batch has come to. `names`: of reading and the steps. */
export function statesOf({ part, deltas }: DoneBatch, names: readonly string[]) {
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
      lacks: [],
    };
    touched.set(row, fresh);
    return fresh;
  };
  const isKept = (row: number): boolean => lineOf(part.rows, part.rowEnds, row).length > 0;
  const odd = new Map<number, OddRow[1]>(part.head.odd);
  for (const [step, delta] of deltas.entries()) applyDelta({ delta, step, name: names[step] ?? '', stateOf, isKept });
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

interface ApplyRequest {
  readonly delta: Delta;
  readonly step: number;
  readonly name: string;
  readonly stateOf: (row: number) => RowState;
  readonly isKept: (row: number) => boolean;
}

function applyDelta({ delta, step, name, stateOf, isKept }: ApplyRequest): void {
  const lines = new Map([...changedLines(delta)].map(([{ row }, line]) => [row, line]));
  for (const { row, drop, changes = [], truncated, lacks, id } of delta.rows) {
    // A limit may end a row that could not be read; a step has no business with one that is not there.
    if (!isKept(row) && step > 0) continue;
    const state = stateOf(row);
    if (state.end) continue;
    state.changes.push(...changes.map((change) => `${name}: ${change}`));
    if (lacks) state.lacks.push({ step, lacks });
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

/** Where lines go. */
export interface LineSink {
  write(bytes: Uint8Array): Promise<void> | void;
}

interface WriteBatchRequest {
  readonly states: BatchStates;
  /** Of `rows.jsonl`. */
  readonly rows: LineSink;
  /** Of `ledger.jsonl`. */
  readonly ledger: LineSink;
  readonly accounts: ReturnType<typeof openAccounts>;
}

/** Writes the rows and the ledger of a batch, and counts them; what nobody touched is copied as it stands. */
export async function writeBatch({
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
    await ledger.write(Buffer.from(`${JSON.stringify(entry)}\n`));
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
