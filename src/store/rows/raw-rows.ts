import { createHash, type Hash, hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { extname } from 'node:path';
import { MartletError } from '../../core/error.ts';

/**
 * One row as it stands in its file. The bytes of a row, which its hash covers, are a line without its end (line feed, or
 * carriage return and line feed), or one element of a JSON array without the space around it.
 */
export interface RawRow {
  /**
   * Null when the row is longer than `maxRowBytes`; then only its hash was kept. A view that holds until the next row is
   * asked for.
   */
  readonly bytes: Buffer | null;
  /** The line it begins on, counted from 1; where a source has no lines (Parquet, a query), the number of the row in it. */
  readonly line: number;
  /** The row group of a Parquet file, counted from 1. */
  readonly rowGroup?: number;
  /** The file it stands in, where its source has several. */
  readonly file?: string;
  /** Why the source leaves it out: it was not drawn, or the mixture had ended. */
  readonly left?: string;
  /** 2 and more for a row that the source gives again. */
  readonly copy?: number;
  /** Where it begins in the file, in bytes. */
  readonly offset: number;
  readonly length: number;
  readonly sha256: string;
  /** What is wrong with the file at this place; such a row holds the bytes concerned. */
  readonly problem: RawRowProblem | null;
}

export type RawRowProblem = 'too-long' | 'empty-element' | 'unclosed-array' | 'after-array' | RawRowFault;

/** What a reader has to say about one row. */
export interface RawRowFault {
  readonly code: string;
  readonly message: string;
  readonly expected?: string;
  readonly fix?: string;
  /** Lines below the first of the row. */
  readonly linesBelow?: number;
}

export interface ReadRawRowsOptions {
  readonly signal?: AbortSignal | undefined;
  readonly maxRowBytes?: number;
  readonly chunkBytes?: number;
}

export const defaultMaxRowBytes = 64 * 2 ** 20;
const defaultChunkBytes = 2 ** 18;

const lineFeed = 10;
const carriageReturn = 13;
const quote = 34;
const comma = 44;
const openBracket = 91;
const backslash = 92;
const closeBracket = 93;
const openBrace = 123;
const closeBrace = 125;

export const isSpace = (byte: number): boolean =>
  byte === 32 || byte === lineFeed || byte === carriageReturn || byte === 9;

/** Bytes in, rows out, however the bytes are cut into chunks. */
export interface RowSplitter {
  push(chunk: Buffer): readonly RawRow[];
  end(): readonly RawRow[];
}

/**
 * The rows of a JSONL file or of a JSON array, one after the other. Blank lines are no rows. Memory stays at one chunk and
 * one row. `.jsonl` and `.ndjson` are lines; anything else is an array when its first character is `[`.
 * @throws MartletError `file-unreadable`; `source-unsupported` for a file that is compressed or columnar.
 */
export async function* readRawRows(file: string, options: ReadRawRowsOptions = {}): AsyncGenerator<RawRow> {
  const handle = await openRowFile(file);
  try {
    let splitter: RowSplitter | undefined;
    for await (const chunk of readChunks(handle, options)) {
      splitter ??= splitterFor(file, chunk, options.maxRowBytes);
      yield* splitter.push(chunk);
    }
    if (splitter) yield* splitter.end();
  } finally {
    await handle.close();
  }
}

/** @throws MartletError `file-unreadable` */
export async function openRowFile(file: string): Promise<FileHandle> {
  try {
    const handle = await open(file);
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
  } catch (cause) {
    throw new MartletError('file-unreadable', `cannot read ${file}`, { cause, hint: 'Check the path and its rights.' });
  }
  throw new MartletError('file-unreadable', `${file} is not a file`, { hint: 'Name a file of rows.' });
}

async function* readChunks(handle: FileHandle, options: ReadRawRowsOptions): AsyncGenerator<Buffer> {
  // One buffer for the whole file: new ones would wait for the collector by the dozen.
  const buffer = Buffer.allocUnsafeSlow(options.chunkBytes ?? defaultChunkBytes);
  for (;;) {
    options.signal?.throwIfAborted();
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

/** First bytes of what people hand over by mistake. */
const foreignFiles: readonly (readonly [start: readonly number[], kind: string, fix: string])[] = [
  [[0x1f, 0x8b], 'gzip', 'Unpack it with gunzip first.'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'Zstandard', 'Unpack it with unzstd first.'],
  [[0x50, 0x4b, 0x03, 0x04], 'ZIP', 'Unpack it with unzip first.'],
  [[0x50, 0x41, 0x52, 0x31], 'Parquet', 'Write it as JSONL first.'],
  [[0xff, 0xfe], 'UTF-16', 'Convert it: iconv -f UTF-16 -t UTF-8.'],
  [[0xfe, 0xff], 'UTF-16', 'Convert it: iconv -f UTF-16 -t UTF-8.'],
];

function splitterFor(file: string, first: Buffer, maxRowBytes = defaultMaxRowBytes): RowSplitter {
  for (const [start, kind, fix] of foreignFiles) {
    if (start.every((byte, index) => first[index] === byte))
      throw new MartletError('source-unsupported', `${file} is a ${kind} file; rows are read from JSON or JSONL`, {
        hint: fix,
      });
  }
  const extension = extname(file).toLowerCase();
  if (extension === '.jsonl' || extension === '.ndjson') return lineSplitter(maxRowBytes);
  const opening = first.subarray(byteOrderMarkLength(first)).find((byte) => !isSpace(byte));
  return opening === openBracket ? arraySplitter(maxRowBytes) : lineSplitter(maxRowBytes);
}

/** Length of the UTF-8 byte order mark that `bytes` begins with: 3, or 0 without one. */
export function byteOrderMarkLength(bytes: Uint8Array): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

export function lineSplitter(maxRowBytes = defaultMaxRowBytes): RowSplitter {
  const pending = pendingRow(maxRowBytes);
  let line = 1;
  let chunkOffset = 0;
  const finish = (): RawRow | null => pending.finish({ trim: trimLineEnd });
  return {
    push(chunk) {
      const rows: RawRow[] = [];
      let start = 0;
      for (;;) {
        const end = chunk.indexOf(lineFeed, start);
        if (!pending.begun) pending.begin(line, chunkOffset + start);
        if (end === -1) break;
        pending.add(chunk.subarray(start, end));
        const row = finish();
        if (row) rows.push(row);
        line++;
        start = end + 1;
      }
      pending.addCopy(chunk.subarray(start));
      chunkOffset += chunk.length;
      return rows;
    },
    end() {
      const row = pending.begun ? finish() : null;
      return row ? [row] : [];
    },
  };
}

/** Cuts at the commas that stand directly in the array; whether a piece is JSON is for its reader to say. */
export function arraySplitter(maxRowBytes = defaultMaxRowBytes): RowSplitter {
  const pending = pendingRow(maxRowBytes);
  let state: 'before' | 'inside' | 'after' = 'before';
  let line = 1;
  let chunkOffset = 0;
  let depth = 0;
  let inString = false;
  let escaped = false;
  let afterComma = false;

  const empty = (offset: number): RawRow => ({
    bytes: Buffer.alloc(0),
    line,
    offset,
    length: 0,
    sha256: hash('sha256', ''),
    problem: 'empty-element',
  });
  const finish = (problem: RawRowProblem | null = null): RawRow | null =>
    pending.finish({ trim: trimSpaceEnd, problem });

  return {
    push(chunk) {
      const rows: RawRow[] = [];
      let start = 0;
      const close = (end: number, problem: RawRowProblem | null = null): void => {
        pending.add(chunk.subarray(start, end));
        const row = finish(problem);
        if (row) rows.push(row);
      };
      for (let i = 0; i < chunk.length; i++) {
        const byte = chunk[i];
        if (byte === lineFeed) line++;
        if (inString) {
          if (escaped) escaped = false;
          else if (byte === backslash) escaped = true;
          else if (byte === quote) inString = false;
          continue;
        }
        if (byte === undefined || isSpace(byte)) continue;
        if (state === 'before') {
          if (byte === openBracket) state = 'inside';
          continue;
        }
        if (depth === 0 && state === 'inside' && (byte === comma || byte === closeBracket)) {
          if (pending.begun) close(i);
          else if (byte === comma || afterComma) rows.push(empty(chunkOffset + i));
          afterComma = byte === comma;
          if (byte === closeBracket) state = 'after';
          continue;
        }
        if (!pending.begun) {
          pending.begin(line, chunkOffset + i);
          start = i;
        }
        if (byte === quote) inString = state === 'inside';
        else if (byte === openBrace || byte === openBracket) depth++;
        else if ((byte === closeBrace || byte === closeBracket) && depth > 0) depth--;
      }
      if (pending.begun) pending.addCopy(chunk.subarray(start));
      chunkOffset += chunk.length;
      return rows;
    },
    end() {
      if (state === 'after') {
        const row = pending.begun ? finish('after-array') : null;
        return row ? [row] : [];
      }
      if (!pending.begun) pending.begin(line, chunkOffset);
      const row = pending.finish({ trim: trimSpaceEnd, problem: 'unclosed-array', keepEmpty: true });
      return row ? [row] : [];
    },
  };
}

function trimLineEnd(bytes: Buffer): Buffer {
  return bytes.at(-1) === carriageReturn ? bytes.subarray(0, -1) : bytes;
}

function trimSpaceEnd(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && isSpace(bytes[end - 1] ?? 0)) end--;
  return bytes.subarray(0, end);
}

interface FinishOptions {
  readonly trim: (bytes: Buffer) => Buffer;
  readonly problem?: RawRowProblem | null;
  readonly keepEmpty?: boolean;
}

/** A row that may lie across chunks. Past the limit its bytes are only hashed. */
export function pendingRow(maxRowBytes: number) {
  let begun = false;
  let line = 0;
  let offset = 0;
  let length = 0;
  let pieces: Buffer[] = [];
  let rest: Hash | null = null;
  const add = (piece: Buffer): void => {
    length += piece.length;
    if (rest) {
      rest.update(piece);
      return;
    }
    pieces.push(piece);
    if (length <= maxRowBytes) return;
    rest = createHash('sha256');
    for (const held of pieces) rest.update(held);
    pieces = [];
  };
  return {
    get begun(): boolean {
      return begun;
    },
    begin(atLine: number, atOffset: number): void {
      begun = true;
      line = atLine;
      offset = atOffset;
      length = 0;
      pieces = [];
      rest = null;
    },
    add,
    /** For the end of a chunk, whose bytes are about to be written over. */
    addCopy: (piece: Buffer): void => add(rest ? piece : Buffer.from(piece)),
    /** Null for a row of nothing but space. */
    finish({ trim, problem = null, keepEmpty = false }: FinishOptions): RawRow | null {
      begun = false;
      if (rest)
        return { bytes: null, line, offset, length, sha256: rest.digest('hex'), problem: problem ?? 'too-long' };
      const bytes = trim(pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces));
      if (!keepEmpty && bytes.every(isSpace)) return null;
      return { bytes, line, offset, length: bytes.length, sha256: hash('sha256', bytes), problem };
    },
  };
}
