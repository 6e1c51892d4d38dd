import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DatasetPiece } from '../schema/dataset.ts';

type Piece = Pick<DatasetPiece, 'rowBytes' | 'ledgerBytes' | 'sha256'>;

/** What each piece says of its lines. */
export const piecesIn = (folder: string): Piece[] =>
  readFileSync(join(folder, 'pieces.jsonl'), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const { rowBytes, ledgerBytes, sha256 } = JSON.parse(line) as DatasetPiece;
      return { rowBytes, ledgerBytes, sha256 };
    });

/** The same of a dataset that keeps its rows, cut where `streamed` is. */
export function piecesOfKept(kept: string, streamed: string): Piece[] {
  const [rows, ledger] = ['rows.jsonl', 'ledger.jsonl'].map((name) => readFileSync(join(kept, name)));
  if (!rows || !ledger) throw new Error('nothing is kept');
  let [row, entry] = [0, 0];
  const pieces = piecesIn(streamed).map(({ rowBytes, ledgerBytes }) => {
    const lines = [rows.subarray(row, row + rowBytes), ledger.subarray(entry, entry + ledgerBytes)];
    row += rowBytes;
    entry += ledgerBytes;
    return { rowBytes, ledgerBytes, sha256: createHash('sha256').update(Buffer.concat(lines)).digest('hex') };
  });
  if (row !== rows.length || entry !== ledger.length) throw new Error('pieces end before what is kept does');
  return pieces;
}
