import { hash } from 'node:crypto';
import type { RawRow } from './raw-rows.ts';

/** A row that had no bytes of its own before: of a query, or of a plug-in. Its hash covers its JSON. */
export function jsonRow(text: string, line: number, maxRowBytes: number): RawRow {
  const bytes = Buffer.from(text);
  const tooLong = bytes.length > maxRowBytes;
  return {
    bytes: tooLong ? null : bytes,
    line,
    offset: 0,
    length: bytes.length,
    sha256: hash('sha256', bytes),
    problem: tooLong ? 'too-long' : null,
  };
}
