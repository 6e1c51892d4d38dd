import type { RowAccounts } from '../row-accounts.ts';
import type { WholeVerdict } from '../steps/step.ts';
import type { Delta, DeltaRow } from './delta-file.ts';
import type { ReadResult } from './read-part.ts';

interface AccountsDeltaRequest {
  readonly accounts: RowAccounts;
  readonly read: ReadResult;
  readonly rowSources: Uint16Array;
  readonly rowFiles: readonly (string | undefined)[];
  /** Filled in. */
  readonly dead: Uint8Array;
}

/** What rows end for because of others, as soon as those before them are known. */
export function accountsDelta({ accounts, read, rowSources, rowFiles, dead }: AccountsDeltaRequest): Delta {
  const rows: DeltaRow[] = [];
  const { kept, filtered, ids, lines } = read;
  for (let row = 0; row < kept.length; row++) {
    const end = accounts.endOf(rowSources[row] ?? 0, {
      isKept: kept[row] === 1,
      isFiltered: filtered[row] === 1,
      id: ids.subarray(row * 32, row * 32 + 32),
      line: lines[row] ?? 0,
      file: rowFiles[row],
    });
    if (end) rows.push({ row, drop: { ...end, code: end.fate } });
    if (end || kept[row] === 0) dead[row] = 1;
  }
  return { rows, samples: Buffer.alloc(0) };
}

/** Rows of one batch: 1 for each that has ended. */
interface Liveness {
  readonly dead: Uint8Array;
}

/** The numbers, among all rows, of those that are still there. */
export function liveNumbers(batches: readonly Liveness[]): Uint32Array {
  const count = batches.reduce((sum, { dead }) => sum + dead.length - dead.reduce((ended, one) => ended + one, 0), 0);
  const live = new Uint32Array(count);
  let at = 0;
  let start = 0;
  for (const { dead } of batches) {
    for (let row = 0; row < dead.length; row++) if (dead[row] === 0) live[at++] = start + row;
    start += dead.length;
  }
  return live;
}

export interface DropsRequest {
  /** Those that are dropped are marked. */
  readonly batches: readonly Liveness[];
  readonly live: Uint32Array;
  readonly verdict: WholeVerdict;
}

/** What a step over all rows drops, batch by batch. */
export function* dropsByBatch({ batches, live, verdict }: DropsRequest): Generator<readonly DeltaRow[]> {
  const drops = verdict.drops[Symbol.iterator]();
  let next = drops.next();
  let start = 0;
  for (const { dead } of batches) {
    const rows: DeltaRow[] = [];
    const end = start + dead.length;
    for (; !next.done; next = drops.next()) {
      const [row, drop] = next.value;
      const number = live[row] ?? 0;
      if (number >= end) break;
      rows.push({ row: number - start, drop });
      dead[number - start] = 1;
    }
    yield rows;
    start = end;
  }
}
