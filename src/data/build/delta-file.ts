import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Lacks } from '../steps/lacking-columns.ts';
import type { Drop } from '../steps/step.ts';

/** What one step did to the rows of one batch, by index in the batch, rising. Rows it left alone are not in it. */
export interface Delta {
  readonly rows: readonly DeltaRow[];
  /** The rows it changed, as lines of JSON, end to end in the order of `rows`. */
  readonly samples: Buffer;
}

export interface DeltaRow {
  readonly row: number;
  readonly drop?: Drop;
  readonly changes?: readonly string[];
  readonly truncated?: true;
  readonly lacks?: Lacks;
  /** Of a changed row: the hash of what it says now, and where its line ends in `samples`. */
  readonly id?: string;
  readonly end?: number;
}

export const emptyDelta: Delta = { rows: [], samples: Buffer.alloc(0) };

const magic = 0x4454524d;
const headBytes = 16;

/** Little-endian: mark, crc of what follows, lengths of the rows' JSON and of the samples as u32; then both. */
export function encodeDelta({ rows, samples }: Delta): Buffer {
  const body = Buffer.concat([Buffer.from(JSON.stringify(rows)), samples]);
  const head = Uint32Array.of(magic, crc32(body), body.length - samples.length, samples.length);
  return Buffer.concat([Buffer.from(head.buffer), body]);
}

/** Undefined for bytes that are not a whole delta. */
export function decodeDelta(bytes: Buffer): Delta | undefined {
  if (bytes.length < headBytes || bytes.readUInt32LE(0) !== magic) return undefined;
  const rowsLength = bytes.readUInt32LE(8);
  const body = bytes.subarray(headBytes);
  if (body.length !== rowsLength + bytes.readUInt32LE(12) || crc32(body) !== bytes.readUInt32LE(4)) return undefined;
  return {
    rows: JSON.parse(body.subarray(0, rowsLength).toString()) as readonly DeltaRow[],
    samples: body.subarray(rowsLength),
  };
}

/** A delta in as little room as it takes: about a dozen bytes for each row that ended. */
export function packDelta(delta: Delta): Buffer {
  return delta.rows.length === 0 ? Buffer.alloc(0) : deflateRawSync(encodeDelta(delta));
}

/** @throws for bytes that are not whole */
export function unpackDelta(bytes: Uint8Array): Delta {
  if (bytes.length === 0) return emptyDelta;
  const delta = decodeDelta(inflateRawSync(bytes));
  if (!delta) throw new RangeError('what was packed is damaged');
  return delta;
}

/** The changed rows of a delta, as their lines, by index in the batch. */
export function* changedLines({ rows, samples }: Delta): Generator<readonly [row: DeltaRow, line: Buffer]> {
  let start = 0;
  for (const row of rows) {
    if (row.end === undefined) continue;
    yield [row, samples.subarray(start, row.end)];
    start = row.end;
  }
}
