import { extname } from 'node:path';
import { MartletError } from '../../core/error.ts';
import { byteChunks } from './byte-chunks.ts';
import { csvSplitter } from './csv-rows.ts';
import {
  arraySplitter,
  byteOrderMarkLength,
  isSpace,
  lineSplitter,
  openRowFile,
  type RawRow,
  type RowSplitter,
} from './raw-rows.ts';
import { type TextRows, textSplitter } from './text-rows.ts';

export interface ReadRowsOptions {
  readonly signal?: AbortSignal | undefined;
  /** A longer row is only hashed, and says so; 64 MiB unless given. */
  readonly maxRowBytes?: number | undefined;
  readonly chunkBytes?: number | undefined;
  /** What one row of a text file is; the whole file unless given. */
  readonly textRows?: TextRows | undefined;
  /** Only the rows that begin in this first share of the file: of its bytes as they are packed, or of its row groups' rows. */
  readonly share?: number | undefined;
}

const defaultChunkBytes = 2 ** 18;

/** Kinds of files, by the end of their name without `.gz` or `.zst`; others are JSON or JSON lines, by their first character. */
const endings = {
  jsonl: 'lines',
  ndjson: 'lines',
  json: 'json',
  csv: 'csv',
  tsv: 'tsv',
  parquet: 'parquet',
  txt: 'text',
  md: 'text',
  markdown: 'text',
} as const;

export type FileKind = (typeof endings)[keyof typeof endings];

/** Undefined for a name that does not tell. */
export function fileKind(file: string): FileKind | undefined {
  const ending = extname(file.replace(/\.(gz|zst)$/i, ''))
    .slice(1)
    .toLowerCase();
  return Object.hasOwn(endings, ending) ? endings[ending as keyof typeof endings] : undefined;
}

/**
 * The rows of a file, one after the other: JSON, JSON lines, CSV, TSV, Parquet, text or Markdown, packed with gzip or
 * Zstandard or not. Memory stays at one chunk and one row, of Parquet at one row group.
 * @throws MartletError `file-unreadable`; `source-unsupported`; `source-damaged` for what is cut off or breaks while it is
 * unpacked, with the byte; `parquet-damaged` with row group and column; `csv-header`
 */
export async function* readRows(file: string, options: ReadRowsOptions = {}): AsyncGenerator<RawRow> {
  const { share = 1 } = options;
  const handle = await openRowFile(file);
  try {
    const start = Buffer.alloc(4);
    const { bytesRead } = await handle.read(start, 0, start.length, 0);
    if (start.toString('latin1') === 'PAR1' || (fileKind(file) === 'parquet' && !isPacked(start))) {
      if (bytesRead === 0) return;
      const { readParquetRows } = await import('./parquet-rows.ts');
      yield* readParquetRows({ ...options, handle, file });
      return;
    }
    const end = share < 1 ? (await handle.stat()).size * share : Number.POSITIVE_INFINITY;
    const { chunks, taken } = byteChunks(handle, {
      ...options,
      file,
      start,
      chunkBytes: options.chunkBytes ?? defaultChunkBytes,
    });
    const packed = isPacked(start);
    let splitter: RowSplitter | undefined;
    for await (const chunk of chunks) {
      splitter ??= splitterFor(file, chunk, options);
      for (const row of splitter.push(chunk)) {
        if (!packed && row.offset > end) return;
        yield row;
      }
      if (packed && taken() > end) return;
    }
    if (splitter) yield* splitter.end();
  } finally {
    await handle.close();
  }
}

/** How many rows a file says it has, where it says so. */
export async function countStatedRows(file: string): Promise<number | null> {
  if (fileKind(file) !== 'parquet' || /\.(gz|zst)$/i.test(file)) return null;
  const handle = await openRowFile(file);
  try {
    const { countParquetRows } = await import('./parquet-rows.ts');
    return await countParquetRows({ handle, file });
  } finally {
    await handle.close();
  }
}

const isPacked = (start: Buffer): boolean => start.readUInt16BE(0) === 0x1f8b || start.readUInt32BE(0) === 0x28b52ffd;

/** First bytes of what people hand over by mistake. */
const foreignFiles: readonly (readonly [start: readonly number[], kind: string, fix: string])[] = [
  [[0x1f, 0x8b], 'gzip file inside another', 'Unpack it once with gunzip.'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'Zstandard file inside another', 'Unpack it once with unzstd.'],
  [[0x50, 0x4b, 0x03, 0x04], 'ZIP file', 'Unpack it with unzip first.'],
  [[0x50, 0x41, 0x52, 0x31], 'packed Parquet file', 'Unpack it first: Parquet is read from the middle.'],
  [[0x41, 0x52, 0x52, 0x4f, 0x57, 0x31], 'Arrow file', 'Write it as Parquet or JSONL first.'],
  [[0x42, 0x5a, 0x68], 'bzip2 file', 'Unpack it with bunzip2 first.'],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], 'XZ file', 'Unpack it with unxz first.'],
  [[0xff, 0xfe], 'UTF-16 file', 'Convert it: iconv -f UTF-16 -t UTF-8.'],
  [[0xfe, 0xff], 'UTF-16 file', 'Convert it: iconv -f UTF-16 -t UTF-8.'],
  [
    [0x53, 0x51, 0x4c, 0x69, 0x74, 0x65, 0x20],
    'SQLite database',
    'Name it with its query: from: sqlite:<file>, query: SELECT ...',
  ],
];

function splitterFor(file: string, first: Buffer, { maxRowBytes, textRows = 'file' }: ReadRowsOptions): RowSplitter {
  for (const [start, kind, fix] of foreignFiles) {
    if (start.every((byte, index) => first[index] === byte) && !isSheet(file))
      throw new MartletError('source-unsupported', `${file} is a ${kind}, which is not read`, { hint: fix });
  }
  if (isSheet(file))
    throw new MartletError('source-unsupported', `${file} is a spreadsheet, which is not read`, {
      hint: 'Save it as CSV or JSON.',
    });
  const wide = wideText(first);
  if (wide)
    throw new MartletError('source-unsupported', `${file} looks like ${wide} without a mark of it, which is not read`, {
      hint: `Convert it: iconv -f ${wide} -t UTF-8.`,
    });
  const kind = fileKind(file);
  if (kind === 'lines') return lineSplitter(maxRowBytes);
  if (kind === 'csv') return csvSplitter({ file, maxRowBytes });
  if (kind === 'tsv') return csvSplitter({ file, maxRowBytes, delimiter: '\t' });
  if (kind === 'text') return textSplitter(textRows, maxRowBytes);
  const opening = first.subarray(byteOrderMarkLength(first)).find((byte) => !isSpace(byte));
  return opening === openBracket ? arraySplitter(maxRowBytes) : lineSplitter(maxRowBytes);
}

const isSheet = (file: string): boolean => /\.(xlsx?|xlsm|ods|numbers)$/i.test(file);

/** Bytes that are looked at for their width. */
const widthBytes = 64;

/** What Latin text of two bytes a character is in, of which every second is 0. */
function wideText(first: Buffer): 'UTF-16LE' | 'UTF-16BE' | undefined {
  const start = first.subarray(0, widthBytes);
  const [even, odd] = [0, 1].map((from) => start.filter((byte, index) => index % 2 === from && byte === 0).length);
  const half = Math.floor(start.length / 2);
  if (half < 4) return undefined;
  if (even === 0 && Number(odd) > 0.8 * half) return 'UTF-16LE';
  return odd === 0 && Number(even) > 0.8 * half ? 'UTF-16BE' : undefined;
}

const openBracket = 91;
