import { isUtf8 } from 'node:buffer';
import { MartletError } from '../../core/error.ts';
import { cellJson } from './cell-json.ts';
import {
  byteOrderMarkLength,
  defaultMaxRowBytes,
  pendingRow,
  type RawRow,
  type RawRowFault,
  type RowSplitter,
} from './raw-rows.ts';

const lineFeed = 10;
const carriageReturn = 13;
const quote = 34;

export interface CsvOptions {
  /** For messages. */
  readonly file: string;
  /** A comma unless the first line has none of it and has semicolons or tabs. */
  readonly delimiter?: string | undefined;
  readonly maxRowBytes?: number | undefined;
}

/**
 * Records of RFC 4180, as Python's csv module reads them: fields in quotes may hold delimiters, line ends and doubled
 * quotes; lines end with line feed, carriage return or both; empty lines are no rows. The first record names the columns.
 * A row's `bytes` are JSON, its hash covers the record as it stands in the file. Values stay text (see `cellJson`).
 * @throws MartletError `csv-header` when the first record cannot name columns.
 */
export function csvSplitter({ file, delimiter, maxRowBytes = defaultMaxRowBytes }: CsvOptions): RowSplitter {
  let read: ((row: RawRow) => RawRow) | undefined;
  const records = recordSplitter(delimiter, maxRowBytes);
  const rowsOf = (found: readonly FoundRecord[]): RawRow[] =>
    found.flatMap(({ row, separator }) => {
      if (read) return [read(row)];
      if (isSeparatorLine(row, separator)) return [];
      read = recordReader(headerOf(row, separator, file), separator);
      return [];
    });
  return { push: (chunk) => rowsOf(records.push(chunk)), end: () => rowsOf(records.end()) };
}

/** `sep=;`: Excel's word on the separator, before the header. */
function isSeparatorLine({ bytes, line }: RawRow, separator: string): boolean {
  if (bytes === null || line > 1) return false;
  const text = bytes.toString('utf8', byteOrderMarkLength(bytes)).trimEnd();
  return text.toLowerCase() === `sep=${separator}` || text.toLowerCase() === `"sep=${separator}"`;
}

interface FoundRecord {
  readonly row: RawRow;
  readonly separator: string;
}

/** Cuts where a line ends outside quotes. */
function recordSplitter(given: string | undefined, maxRowBytes: number) {
  const pending = pendingRow(maxRowBytes);
  let separator = given?.charCodeAt(0);
  let state: 'field' | 'plain' | 'quoted' | 'closed' = 'field';
  let line = 1;
  let chunkOffset = 0;
  let afterReturn = false;
  let recordLine = 1;
  let quoteLine = 1;
  let fault: RawRowFault | null = null;
  /** Characters of the first record outside quotes, while its separator is not known. */
  const seen = new Map<number, number>();

  const finish = (): FoundRecord[] => {
    if (state === 'quoted') {
      fault = {
        code: 'bad-quoting',
        message: `a quoted field that begins on line ${quoteLine} is never closed.`,
        linesBelow: quoteLine - recordLine,
        fix: 'Close it with a quote; a quote inside a field is written twice.',
      };
    }
    const row = pending.finish({ trim: (bytes) => bytes, problem: fault, keepEmpty: true });
    separator ??= sniffed(seen);
    fault = null;
    return row ? [{ row, separator: String.fromCharCode(separator) }] : [];
  };

  return {
    push(chunk: Buffer): FoundRecord[] {
      const found: FoundRecord[] = [];
      let start = 0;
      for (let i = 0; i < chunk.length; i++) {
        const byte = chunk[i] ?? 0;
        if (afterReturn) {
          afterReturn = false;
          if (byte === lineFeed) continue;
        }
        const ends = byte === lineFeed || byte === carriageReturn;
        if (!pending.begun) {
          if (ends) {
            line++;
            afterReturn = byte === carriageReturn;
            continue;
          }
          pending.begin(line, chunkOffset + i);
          recordLine = line;
          start = i;
          state = 'field';
        }
        if (state === 'quoted') {
          if (byte === quote) state = 'closed';
          else if (byte === lineFeed) line++;
          continue;
        }
        if (ends) {
          pending.add(chunk.subarray(start, i));
          found.push(...finish());
          line++;
          afterReturn = byte === carriageReturn;
          continue;
        }
        if (separator === undefined && sniffable.includes(byte)) seen.set(byte, (seen.get(byte) ?? 0) + 1);
        if (byte === separator || (separator === undefined && sniffable.includes(byte))) state = 'field';
        else if (state === 'closed') {
          if (byte === quote) state = 'quoted';
          else {
            fault ??= {
              code: 'bad-quoting',
              message: `text stands after the closing quote of a field, on line ${line}.`,
              linesBelow: line - recordLine,
              fix: 'A quote inside a quoted field is written twice.',
            };
            state = 'plain';
          }
        } else if (state === 'field' && byte === quote) {
          state = 'quoted';
          quoteLine = line;
        } else if (state === 'field' && !(chunkOffset + i < 3 && byte >= 0xbb)) state = 'plain';
      }
      if (pending.begun) pending.addCopy(chunk.subarray(start));
      chunkOffset += chunk.length;
      return found;
    },
    end: (): FoundRecord[] => (pending.begun ? finish() : []),
  };
}

const sniffable: readonly number[] = [...',;\t'].map((character) => character.charCodeAt(0));

/** Spreadsheets of half the world write semicolons; a comma in the first line settles it. */
function sniffed(seen: ReadonlyMap<number, number>): number {
  return sniffable.find((byte) => (seen.get(byte) ?? 0) > 0) ?? 44;
}

function headerOf(row: RawRow, separator: string, file: string): readonly string[] {
  const refuse = (message: string, fix: string): MartletError =>
    new MartletError('csv-header', `${file}:${row.line} ${message}`, { hint: fix });
  if (row.bytes === null) throw refuse('the first line is too long to name columns', 'Is it a CSV file at all?');
  if (row.problem !== null) throw refuse('the quoting of the first line is broken', 'Mend the quotes.');
  if (!isUtf8(row.bytes))
    throw refuse('the first line is not UTF-8', 'Convert the file: iconv -f <its encoding> -t UTF-8.');
  const text = row.bytes.toString('utf8', row.offset === 0 ? byteOrderMarkLength(row.bytes) : 0);
  const names = fieldsOf(text, separator).map((name, index) => name.trim() || `column ${index + 1}`);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw refuse(`the column ${JSON.stringify(twice)} is named twice`, 'Give each column a name of its own.');
  return names;
}

function recordReader(names: readonly string[], separator: string): (row: RawRow) => RawRow {
  const keys = names.map((name) => JSON.stringify(name));
  return (row) => {
    if (row.bytes === null || row.problem !== null || !isUtf8(row.bytes)) return row;
    const fields = fieldsOf(row.bytes.toString('utf8'), separator);
    if (fields.length !== names.length)
      return {
        ...row,
        problem: {
          code: 'field-count',
          message: `the row has ${fields.length} ${fields.length === 1 ? 'field' : 'fields'}; the header names ${names.length}.`,
          expected: names.join(separator === '\t' ? ', ' : separator),
          fix: 'Quote fields that hold the separator or a line end.',
        },
      };
    const members = fields.map((field, index) => `${keys[index]}:${cellJson(names[index] ?? '', field)}`);
    return { ...row, bytes: Buffer.from(`{${members.join(',')}}`) };
  };
}

/** The fields of one record whose quoting is sound. */
function fieldsOf(text: string, separator: string): string[] {
  if (!text.includes('"')) return text.split(separator);
  const fields: string[] = [];
  for (let at = 0; at <= text.length; ) {
    if (text[at] !== '"') {
      const end = text.indexOf(separator, at);
      fields.push(text.slice(at, end === -1 ? undefined : end));
      if (end === -1) return fields;
      at = end + 1;
      continue;
    }
    let end = text.indexOf('"', at + 1);
    while (end !== -1 && text[end + 1] === '"') end = text.indexOf('"', end + 2);
    if (end === -1) end = text.length;
    fields.push(text.slice(at + 1, end).replaceAll('""', '"'));
    if (end + 1 >= text.length) return fields;
    at = end + 2;
  }
  // A separator at the very end is followed by an empty field, which the loop has pushed.
  return fields;
}
