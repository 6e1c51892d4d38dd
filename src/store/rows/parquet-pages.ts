import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { type ColumnMetaData, type Compressors, type SchemaTree, snappyUncompress } from 'hyparquet';
import { MartletError } from '../../core/error.ts';
import { unpackLz4Block } from './lz4-block.ts';
import { checkRuns, countInRuns, sumOfLengths } from './parquet-runs.ts';
import { walkThrift } from './thrift-walk.ts';

/** What pages are packed with, beside nothing and snappy. */
export const compressors: Compressors = {
  GZIP: (input, length) => gunzipSync(input, { maxOutputLength: length + 1 }),
  ZSTD: (input, length) => zstdDecompressSync(input, { maxOutputLength: length + 1 }),
  LZ4_RAW: unpackLz4Block,
  BROTLI: (input, length) => brotliDecompressSync(input, { maxOutputLength: length + 1 }),
};

export interface Leaf {
  readonly bytes: Uint8Array;
  readonly described: ColumnMetaData;
  /** The column of the table that it is part of, or itself. */
  readonly column: SchemaTree;
}

/**
 * Page headers and runs, held against what the file says of the column before anything is allocated by them.
 * @param rows of the row group
 * @throws Error saying what contradicts itself; MartletError `source-unsupported` for texts that grow beyond memory
 */
export function checkPages({ bytes, described, column }: Leaf, rows: number): void {
  const values = Number(described.num_values);
  const unpackedBytes = Number(described.total_uncompressed_size);
  const isFlat = column.children.length === 0 && column.element.repetition_type !== 'REPEATED';
  if (isFlat && values !== rows) throw new Error(`it has ${values} values for ${rows} rows`);
  const widths = levelWidths(described, column);
  let seen = 0;
  let repeated = 0;
  for (let at = 0; at < bytes.length - 1; ) {
    const header = new Map<string, number>();
    at = walkThrift(bytes, at, (path, value) => void header.set(path.join('.'), value));
    const number = (...path: readonly number[]): number => header.get(path.join('.')) ?? -1;
    const [unpackedSize, packedSize] = [number(2), number(3)];
    if (packedSize < 0 || packedSize > bytes.length - at) throw new Error('a page is longer than its column');
    if (unpackedSize < 0 || unpackedSize > unpackedBytes + 2 ** 20)
      throw new Error('a page unpacks to more than its column');
    const packed = bytes.subarray(at, at + packedSize);
    at += packedSize;
    const kind = number(1);
    if (kind === 2) {
      const entries = number(7, 1);
      if (entries < 0 || entries > unpackedBytes) throw new Error('its dictionary is larger than the column');
      continue;
    }
    // The two versions of a page of data keep their header under different fields, and say their encoding in different ones.
    const version = kind === 3 ? 8 : 5;
    const pageValues = number(version, 1);
    if (pageValues < 0) throw new Error('a page has fewer than no values');
    seen += pageValues;
    const { codec, type } = described;
    const [ofDefinition, ofRepetition] = [number(8, 5), number(8, 6)];
    // Without these lengths, or with ones below 0, a decoder goes on at no place, for ever.
    if (version === 8 && (ofDefinition < 0 || ofRepetition < 0 || ofDefinition + ofRepetition > packedSize))
      throw new Error('the levels of a page are longer than it');
    const encoding = number(version, version === 8 ? 4 : 2);
    const inRuns = runEncodings.has(encoding);
    const addRepeated = (page: Uint8Array, start: number, filled: number): void => {
      repeated += sumOfLengths(page, start, filled);
      if (repeated > mostRepeatedBytes)
        throw new MartletError(
          'source-unsupported',
          `its texts take over more than ${mostRepeatedBytes} bytes from those before them`,
          { hint: 'Write it with smaller row groups, or without DELTA_BYTE_ARRAY.' },
        );
    };
    const ofValues = type === 'BOOLEAN' ? 'boolean' : 'dictionary';
    if (version === 8) {
      const levelsOf = (start: number, width: number) => ({ page: packed, start, width, values: pageValues });
      const defined = levelsOf(ofRepetition, widths.definition);
      if (widths.repetition > 0) checkRuns(levelsOf(0, widths.repetition));
      if (widths.definition > 0) checkRuns(defined);
      if (!inRuns && encoding !== deltaTexts) continue;
      const levels = ofDefinition + ofRepetition;
      const rest = packed.subarray(levels);
      const page = number(8, 7) === 0 ? rest : unpack(codec, rest, unpackedSize - levels);
      if (inRuns) checkValues(page, 0, ofValues, pageValues);
      else addRepeated(page, 0, widths.definition > 0 ? countInRuns(defined, widths.filled) : pageValues);
    } else if (inRuns || encoding === deltaTexts || widths.repetition > 0 || widths.definition > 0) {
      const page = unpack(codec, packed, unpackedSize);
      let start = 0;
      let filled = pageValues;
      for (const [width, isDefinition] of [
        [widths.repetition, false],
        [widths.definition, true],
      ] as const)
        if (width > 0) {
          const levels = { page, start: start + 4, width, values: pageValues };
          checkRuns(levels);
          if (isDefinition && encoding === deltaTexts) filled = countInRuns(levels, widths.filled);
          start += 4 + lengthAt(page, start);
        }
      if (inRuns) checkValues(page, start, ofValues, pageValues);
      if (encoding === deltaTexts) addRepeated(page, start, filled);
    }
  }
  if (seen !== values) throw new Error(`its pages hold ${seen} values, the file says ${values}`);
}

/** PLAIN_DICTIONARY, RLE and RLE_DICTIONARY. */
const runEncodings: ReadonlySet<number> = new Set([2, 3, 8]);

/** DELTA_BYTE_ARRAY: each text says how much it takes over from the one before. */
const deltaTexts = 7;

/** Bytes that the texts of a column may take over; with them they grow with the square of what is stored. */
const mostRepeatedBytes = 2 ** 29;

/** Bits of each level, 0 where there are none; `filled`: the level of a value that is there. */
function levelWidths({ path_in_schema: path }: ColumnMetaData, column: SchemaTree) {
  let repetition = 0;
  let definition = 0;
  let node: SchemaTree | undefined = column;
  for (let depth = 1; node; depth++) {
    if (node.element.repetition_type === 'REPEATED') repetition++;
    if (node.element.repetition_type !== 'REQUIRED') definition++;
    node = node.children.find(({ element }) => element.name === path[depth]);
  }
  const bits = (most: number): number => 32 - Math.clz32(most);
  return { repetition: bits(repetition), definition: bits(definition), filled: definition };
}

/** Runs of values: truth values after their length in bytes, entries of a dictionary after their width in bits. */
function checkValues(page: Uint8Array, at: number, of: 'boolean' | 'dictionary', values: number): void {
  const width = of === 'boolean' ? 1 : (page[at] ?? 0);
  if (width > 32) throw new Error(`a page has values of ${width} bits`);
  checkRuns({ page, start: of === 'boolean' ? at + 4 : at + 1, width, values });
}

function lengthAt(page: Uint8Array, at: number): number {
  if (at + 4 > page.length) throw new Error('a page ends inside its levels');
  return new DataView(page.buffer, page.byteOffset).getUint32(at, true);
}

function unpack(codec: ColumnMetaData['codec'], packed: Uint8Array, length: number): Uint8Array {
  if (codec === 'UNCOMPRESSED' || length <= 0) return packed;
  if (codec !== 'SNAPPY') return compressors[codec]?.(packed, length) ?? packed;
  const page = new Uint8Array(length);
  snappyUncompress(packed, page);
  return page;
}
