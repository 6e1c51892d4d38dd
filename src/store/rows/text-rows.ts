import { isUtf8 } from 'node:buffer';
import type { textRowKinds } from '../../schema/recipe.ts';
import {
  byteOrderMarkLength,
  defaultMaxRowBytes,
  lineSplitter,
  pendingRow,
  type RawRow,
  type RowSplitter,
} from './raw-rows.ts';

/** What is one row of a text: all of it, what stands between blank lines, or a line. */
export type TextRows = (typeof textRowKinds)[number];

/** Rows `{"text": ...}`; the hash covers the text as it stands in the file. */
export function textSplitter(rows: TextRows, maxRowBytes = defaultMaxRowBytes): RowSplitter {
  const pieces = { file: wholeSplitter, paragraph: paragraphSplitter, line: lineSplitter }[rows](maxRowBytes);
  return { push: (chunk) => pieces.push(chunk).map(asRow), end: () => pieces.end().map(asRow) };
}

function asRow(row: RawRow): RawRow {
  if (row.bytes === null || row.problem !== null || !isUtf8(row.bytes)) return row;
  const text = row.bytes.toString('utf8', row.offset === 0 ? byteOrderMarkLength(row.bytes) : 0);
  return { ...row, bytes: Buffer.from(JSON.stringify({ text })) };
}

const asItStands = (bytes: Buffer): Buffer => bytes;

function wholeSplitter(maxRowBytes: number): RowSplitter {
  const pending = pendingRow(maxRowBytes);
  return {
    push(chunk) {
      if (!pending.begun) pending.begin(1, 0);
      pending.addCopy(chunk);
      return [];
    },
    end() {
      const row = pending.begun ? pending.finish({ trim: asItStands }) : null;
      return row ? [row] : [];
    },
  };
}

/** Lines of nothing but space part paragraphs; they belong to none. */
function paragraphSplitter(maxRowBytes: number): RowSplitter {
  const lines = lineSplitter(maxRowBytes);
  const pending = pendingRow(maxRowBytes);
  let next = { line: 0, offset: 0 };
  const finish = (): RawRow[] => {
    const row = pending.begun ? pending.finish({ trim: asItStands }) : null;
    return row ? [row] : [];
  };
  /** Blank lines are no rows of the line splitter: where its numbers jump, a paragraph ends. */
  const take = (row: RawRow): RawRow[] => {
    if (row.bytes === null) return [...finish(), row];
    const rows = row.line === next.line ? [] : finish();
    if (pending.begun) pending.add(row.offset - next.offset === 2 ? lineEnds.windows : lineEnds.unix);
    else pending.begin(row.line, row.offset);
    pending.addCopy(row.bytes);
    next = { line: row.line + 1, offset: row.offset + row.length };
    return rows;
  };
  return { push: (chunk) => lines.push(chunk).flatMap(take), end: () => [...lines.end().flatMap(take), ...finish()] };
}

const lineEnds = { unix: Buffer.from('\n'), windows: Buffer.from('\r\n') };
