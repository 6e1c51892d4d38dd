import { isUtf8 } from 'node:buffer';
import { byteOrderMarkLength, type RawRow } from '../store/rows/raw-rows.ts';
import { type RowNotes, shown } from './row-notes.ts';
import { isObject, type JsonObject, readStrictJson } from './strict-json.ts';

/** The row as an object, or null with the reason in `notes`. */
export function parseRow(raw: RawRow, notes: RowNotes): JsonObject | null {
  const text = decodeRow(raw, notes);
  const value = text === null ? undefined : readStrictJson(text, notes);
  if (value === undefined || isObject(value)) return value ?? null;
  notes.problem({
    code: 'not-an-object',
    message: `the row is ${Array.isArray(value) ? 'an array' : shown(value)}.`,
    expected: 'an object with named columns',
  });
  return null;
}

const rawProblems = {
  'too-long': [
    'row-too-long',
    'the row is too long to be read.',
    'Split it, look for a missing line end, or raise data.maxRowMiB.',
  ],
  'empty-element': ['not-json', 'nothing stands between two commas of the array.', 'Take one of the commas out.'],
  'unclosed-array': ['not-json', 'the file ends before its array is closed.', 'The file may have been cut off.'],
  'after-array': ['not-json', 'text stands after the end of the array.', 'Put all rows into the one array.'],
} as const;

function decodeRow(raw: RawRow, notes: RowNotes): string | null {
  if (raw.problem !== null || raw.bytes === null) {
    if (raw.problem !== null && typeof raw.problem === 'object') {
      const { linesBelow = 0, ...problem } = raw.problem;
      notes.problem({ ...problem, at: { linesBelow, column: 1 } });
      return null;
    }
    const [code, message, fix] = rawProblems[raw.problem ?? 'too-long'];
    notes.problem({ code, message, fix });
    return null;
  }
  if (!isUtf8(raw.bytes)) {
    notes.problem({
      code: 'not-utf8',
      message: `byte ${firstBadByte(raw.bytes) + 1} of the row is not UTF-8.`,
      fix: 'Convert the file: iconv -f <its encoding> -t UTF-8.',
    });
    return null;
  }
  return raw.bytes.toString('utf8', raw.offset === 0 ? byteOrderMarkLength(raw.bytes) : 0);
}

/** Decoding puts U+FFFD where bytes are wrong; the first one that does not stand in the bytes as such is the place. */
function firstBadByte(bytes: Buffer): number {
  const text = bytes.toString('utf8');
  let offset = 0;
  for (let from = 0; ; ) {
    const found = text.indexOf('\ufffd', from);
    if (found === -1) return offset;
    offset += Buffer.byteLength(text.slice(from, found));
    if (bytes[offset] !== 0xef || bytes[offset + 1] !== 0xbf || bytes[offset + 2] !== 0xbd) return offset;
    offset += 3;
    from = found + 1;
  }
}
