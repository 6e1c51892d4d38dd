import { createHash } from 'node:crypto';
import type { DatasetPiece } from '../../../schema/dataset.ts';
import type { SourcePlace } from '../../opened-source.ts';
import { statesOf, writeBatch } from '../batch-states.ts';
import type { openAccounts } from '../dataset-accounts.ts';
import { unpackDelta } from '../delta-file.ts';
import type { DerivedBatch } from './derive-batches.ts';

export const streamedFile = 'streamed.json';
export const piecesFile = 'pieces.jsonl';

interface LinesRequest {
  /** See `DatasetPiece`, packed. */
  readonly decided: readonly (Uint8Array | null)[];
  readonly names: readonly string[];
  readonly accounts: ReturnType<typeof openAccounts>;
}

/** What can be known of a batch only with a look at all rows, and what its lines are to be held against. */
export async function pieceOf(batch: DerivedBatch, request: LinesRequest): Promise<DatasetPiece> {
  const { rows, ledger, sha256 } = await linesOf(batch, request);
  return {
    key: batch.key,
    rows: batch.sources.length,
    rowBytes: rows.length,
    ledgerBytes: ledger.length,
    sha256,
    decided: request.decided.map((bytes) => bytes && Buffer.from(bytes).toString('base64')),
    ranges: rangesOf(batch),
  };
}

/** The lines that a batch gives in `rows.jsonl` and in `ledger.jsonl`. */
export async function linesOf(batch: DerivedBatch, { decided, names, accounts }: LinesRequest) {
  const gathered = { rows: [] as Uint8Array[], ledger: [] as Uint8Array[] };
  const first = unpackDelta(decided[0] ?? Buffer.alloc(0));
  await writeBatch({
    states: statesOf(batch.done(first), names),
    rows: { write: (bytes) => void gathered.rows.push(bytes) },
    ledger: { write: (bytes) => void gathered.ledger.push(bytes) },
    accounts,
  });
  const [rows, ledger] = [Buffer.concat(gathered.rows), Buffer.concat(gathered.ledger)];
  return { rows, ledger, sha256: createHash('sha256').update(rows).update(ledger).digest('hex') };
}

/** Where the rows of a piece end: how many of its last rows stand in that file, and whether all of them do. */
export interface PieceEnd extends SourcePlace {
  readonly isAll: boolean;
}

/** How far the first `count` pieces reach, in rows that are neither mixed nor drawn; undefined where that is not known. */
export function placeAfter(count: number, endOf: (index: number) => PieceEnd | undefined): SourcePlace | undefined {
  const last = endOf(count - 1);
  if (!last) return undefined;
  const { source, file } = last;
  let rows = 0;
  for (let index = count - 1; index >= 0; index--) {
    const end = endOf(index);
    if (!end) return undefined;
    if (end.file !== file || end.source !== source) break;
    rows += end.rows;
    if (!end.isAll) break;
  }
  return { source, file, rows };
}

/** Undefined where an earlier writer did not say how many. */
export function endOfPiece({ ranges }: DatasetPiece): PieceEnd | undefined {
  const end = ranges.at(-1);
  return end && end.rows > 0
    ? { source: end.source, file: end.file, rows: end.rows, isAll: ranges.length === 1 }
    : undefined;
}

function rangesOf({ sources, files, read }: DerivedBatch): DatasetPiece['ranges'] {
  const ranges = new Map<string, DatasetPiece['ranges'][number]>();
  for (const [row, source] of sources.entries()) {
    const [file, line] = [files[row], read.lines[row] ?? 0];
    const key = `${source} ${file ?? ''}`;
    const known = ranges.get(key);
    if (!known) ranges.set(key, { source, ...(file !== undefined && { file }), first: line, last: line, rows: 1 });
    else {
      known.rows++;
      known.first = Math.min(known.first, line);
      known.last = Math.max(known.last, line);
    }
  }
  return [...ranges.values()];
}
