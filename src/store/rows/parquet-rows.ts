import { hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { AsyncBuffer, Compressors, FileMetaData, SchemaTree } from 'hyparquet';
import { MartletError, messageOf } from '../../core/error.ts';
import { NotText, parquetJson, plainElement } from './parquet-json.ts';
import type { Leaf } from './parquet-pages.ts';
import { defaultMaxRowBytes, type RawRow, type RawRowProblem } from './raw-rows.ts';
import { walkThrift } from './thrift-walk.ts';

export interface ParquetRequest {
  readonly handle: FileHandle;
  readonly file: string;
  readonly maxRowBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Only this first share of the rows. */
  readonly share?: number | undefined;
}

const smallerGroups = 'Write it with smaller row groups, such as row_group_size=10000.';

/** A row group is read as a whole; one that unpacks to more than this would not fit where rows are read. */
const maxGroupBytes = 2 ** 31;

/** Of a column, and of all columns together: values take memory also where nothing is stored of them, as nulls do. */
const maxValues = { column: 2 ** 24, group: 2 ** 27 };

/**
 * Rows of a Parquet file, one row group in memory at a time. A row's `line` is its number in the file; `bytes` are its
 * JSON, which its hash covers (a columnar file has no bytes of a row). Exact: decimals keep their digits, times their
 * nanoseconds, floats their point, 64-bit numbers all of themselves.
 * @throws MartletError `parquet-damaged` naming row group and column; `source-unsupported`
 */
export async function* readParquetRows(request: ParquetRequest): AsyncGenerator<RawRow> {
  const { file, signal, maxRowBytes = defaultMaxRowBytes, share = 1 } = request;
  const opened = await openParquet(request);
  const wanted = Math.ceil(Number(opened.metadata.num_rows) * share);
  let first = 0;
  for (const [
    group,
    { num_rows: rows, total_byte_size: bytes, columns: described },
  ] of opened.metadata.row_groups.entries()) {
    if (first >= wanted) return;
    signal?.throwIfAborted();
    const count = Number(rows);
    if (Number(bytes) > maxGroupBytes)
      throw new MartletError('source-unsupported', `${file}: row group ${group + 1} unpacks to ${bytes} bytes`, {
        hint: smallerGroups,
      });
    const values = described.map(({ meta_data: column }) => Number(column?.num_values ?? 0));
    const most = values.reduce((largest, count) => Math.max(largest, count), count);
    const all = values.reduce((sum, count) => sum + count, 0);
    if (most > maxValues.column || all > maxValues.group)
      throw new MartletError(
        'source-unsupported',
        most > maxValues.column
          ? `${file}: a column of row group ${group + 1} has ${most} values; ${maxValues.column} are read`
          : `${file}: the columns of row group ${group + 1} have ${all} values; ${maxValues.group} are read`,
        { hint: smallerGroups },
      );
    const columns: Column[] = [];
    for (const tree of opened.columns)
      columns.push(await readColumn({ ...request, ...opened, group, first, count, tree }));
    for (let index = 0; index < count && first + index < wanted; index++) {
      yield rowOf({ columns, index, line: first + index + 1, rowGroup: group + 1, maxRowBytes });
    }
    first += count;
  }
}

/** How many rows a Parquet file says it has. */
export async function countParquetRows(request: ParquetRequest): Promise<number> {
  return Number((await openParquet(request)).metadata.num_rows);
}

interface Column {
  readonly key: string;
  readonly tree: SchemaTree;
  readonly values: ArrayLike<unknown>;
}

interface RowRequest {
  readonly columns: readonly Column[];
  readonly index: number;
  readonly line: number;
  readonly rowGroup: number;
  readonly maxRowBytes: number;
}

function rowOf({ columns, index, line, rowGroup, maxRowBytes }: RowRequest): RawRow {
  let problem: RawRowProblem | null = null;
  const members = columns.map(({ key, tree, values }) => {
    try {
      return `${key}:${parquetJson(values[index], tree)}`;
    } catch (error) {
      problem ??=
        error instanceof NotText
          ? {
              code: 'not-utf8',
              message: `${error.message}.`,
              fix: 'Write the file again with its texts in UTF-8.',
            }
          : {
              code: 'value-unreadable',
              message: `the value of ${key} is none of its type (${messageOf(error)}).`,
              fix: 'Mend the value: dates reach to the year 275760.',
            };
      return `${key}:null`;
    }
  });
  const bytes = Buffer.from(`{${members.join(',')}}`);
  const tooLong = bytes.length > maxRowBytes;
  return {
    bytes: tooLong ? null : bytes,
    line,
    rowGroup,
    offset: 0,
    length: bytes.length,
    sha256: hash('sha256', bytes),
    problem: tooLong ? 'too-long' : problem,
  };
}

interface Opened {
  readonly metadata: FileMetaData;
  readonly buffer: AsyncBuffer;
  readonly columns: readonly SchemaTree[];
}

async function openParquet({ handle, file }: ParquetRequest): Promise<Opened> {
  const { parquetMetadata, parquetSchema } = await import('hyparquet');
  const { size } = await handle.stat();
  const refuse = (what: string, cause?: unknown): MartletError =>
    new MartletError('parquet-damaged', `${file} is no whole Parquet file: ${what}`, {
      cause,
      hint: 'The file may have been cut off; copy or download it again.',
    });
  const tail = Buffer.from(await slice(handle, Math.max(0, size - 8), size));
  if (size < 12 || tail.toString('latin1', 4) !== 'PAR1') throw refuse('it does not end as one');
  const length = tail.readUInt32LE(0);
  if (length > size - 12) throw refuse('its description is longer than the file');
  const footer = await slice(handle, size - 8 - length, size);
  let metadata: FileMetaData;
  try {
    walkThrift(new Uint8Array(footer, 0, length), 0);
    metadata = parquetMetadata(footer, { geoparquet: false });
    checkMetadata(metadata, size);
    const columns = parquetSchema(metadata).children;
    const plain = { ...metadata, schema: metadata.schema.map(plainElement) };
    const buffer: AsyncBuffer = { byteLength: size, slice: (start, end = size) => slice(handle, start, end) };
    return { metadata: plain, buffer, columns };
  } catch (error) {
    throw refuse(`its description cannot be read (${messageOf(error)})`, error);
  }
}

/** Counts that contradict one another would make a reader allocate without end. */
function checkMetadata({ num_rows: rows, row_groups: groups, schema }: FileMetaData, size: number): void {
  if (!Array.isArray(schema) || schema.length === 0 || !Array.isArray(groups)) throw new Error('it lacks a schema');
  let sum = 0n;
  for (const [index, group] of groups.entries()) {
    if (group.num_rows < 0n) throw new Error(`row group ${index + 1} has ${group.num_rows} rows`);
    sum += group.num_rows;
    for (const { meta_data: column } of group.columns) {
      if (!column) throw new Error(`a column of row group ${index + 1} is not described`);
      const start = column.dictionary_page_offset || column.data_page_offset;
      const end = start + column.total_compressed_size;
      if (start < 0n || column.total_compressed_size < 0n || end > BigInt(size))
        throw new Error(`column ${column.path_in_schema.join('.')} of row group ${index + 1} lies outside the file`);
    }
  }
  if (sum !== rows) throw new Error(`the row groups hold ${sum} rows, the file says ${rows}`);
}

interface ColumnRequest extends ParquetRequest, Opened {
  readonly group: number;
  readonly first: number;
  readonly count: number;
  readonly tree: SchemaTree;
}

async function readColumn(request: ColumnRequest): Promise<Column> {
  const { file, metadata, buffer, group, first, count, tree } = request;
  const { name } = tree.element;
  const pieces: { readonly start: number; readonly data: ArrayLike<unknown> }[] = [];
  const [{ parquetRead }, { checkPages, compressors }] = await Promise.all([
    import('hyparquet'),
    import('./parquet-pages.ts'),
  ]);
  checkCodec(request, compressors);
  try {
    for (const leaf of await leavesOf(request)) checkPages(leaf, count);
    await parquetRead({
      file: buffer,
      metadata,
      columns: [name],
      rowStart: first,
      rowEnd: first + count,
      compressors,
      utf8: false,
      geoparquet: false,
      parsers: {
        stringFromBytes: textOrBytes,
        timestampFromNanoseconds: (nanos) => nanos,
      },
      onChunk: ({ columnData, rowStart }) => pieces.push({ start: rowStart - first, data: columnData }),
    });
    const values = joined(pieces, count);
    return { key: JSON.stringify(name), tree, values };
  } catch (error) {
    const known = MartletError.is(error) ? error : undefined;
    throw new MartletError(
      known?.code ?? 'parquet-damaged',
      `${file}: column ${name} of row group ${group + 1} cannot be read (${messageOf(error)})`,
      {
        cause: error,
        hint: known?.hint ?? 'Copy or download the file again; row groups before this one are sound.',
      },
    );
  }
}

function checkCodec({ file, metadata, group, tree }: ColumnRequest, compressors: Compressors): void {
  for (const { meta_data: column } of metadata.row_groups[group]?.columns ?? []) {
    if (!column || column.path_in_schema[0] !== tree.element.name) continue;
    const { codec } = column;
    if (codec === 'UNCOMPRESSED' || codec === 'SNAPPY' || Object.hasOwn(compressors, codec)) continue;
    throw new MartletError('source-unsupported', `${file} is packed with ${codec}, which is not read`, {
      hint: 'Write it with zstd, snappy, gzip, brotli or LZ4_RAW.',
    });
  }
}

function joined(pieces: readonly { readonly start: number; readonly data: ArrayLike<unknown> }[], count: number) {
  const [only] = pieces;
  if (only && pieces.length === 1 && only.start === 0 && only.data.length === count) return only.data;
  const values: unknown[] = [];
  for (const { start, data } of pieces) {
    if (start !== values.length) throw new Error('its pages do not follow one another');
    for (let index = 0; index < data.length; index++) values.push(data[index]);
  }
  if (values.length !== count) throw new Error(`it has ${values.length} values for ${count} rows`);
  return values;
}

/** Every leaf below a column, as it is stored. */
async function leavesOf({ metadata, buffer, group, tree }: ColumnRequest): Promise<readonly Leaf[]> {
  const leaves = metadata.row_groups[group]?.columns.flatMap(({ meta_data: each }) =>
    each && each.path_in_schema[0] === tree.element.name ? [each] : [],
  );
  if (!leaves || leaves.length === 0) throw new Error('it is missing');
  return Promise.all(
    leaves.map(async (described) => {
      const start = Number(described.dictionary_page_offset || described.data_page_offset);
      const bytes = new Uint8Array(await buffer.slice(start, start + Number(described.total_compressed_size)));
      return { bytes, described, column: tree };
    }),
  );
}

/** Texts that are not UTF-8 stay bytes, to be named with their row. */
function textOrBytes(bytes: Uint8Array | undefined): unknown {
  if (!bytes) return bytes;
  try {
    return strict.decode(bytes);
  } catch {
    return bytes;
  }
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

async function slice(handle: FileHandle, start: number, end: number): Promise<ArrayBuffer> {
  const bytes = new Uint8Array(end - start);
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await handle.read(bytes, done, bytes.length - done, start + done);
    if (bytesRead === 0) throw new Error('the file ends early');
    done += bytesRead;
  }
  return bytes.buffer;
}
