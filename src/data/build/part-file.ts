import { crc32 } from 'node:zlib';
import { MartletError } from '../../core/error.ts';
import type { Json } from '../../schema/common.ts';
import type { RowReading } from '../read-sources.ts';

/**
 * What was read from one batch of raw rows, as a worker leaves it in the cache. The texts stand as they will stand in the
 * dataset, so that a row nobody touches later is copied and never parsed again.
 */
export interface Part {
  readonly head: PartHead;
  /** Samples as lines of JSON, end to end; `rowEnds[i]` is where row i ends, equal to its start when it has none. */
  readonly rows: Buffer;
  readonly rowEnds: Uint32Array;
  /** Lines of the ledger, end to end. */
  readonly ledger: Buffer;
  readonly ledgerEnds: Uint32Array;
  /** sha-256 of what each row says, 32 bytes each; zeros for a row that could not be read. */
  readonly ids: Buffer;
}

export interface PartHead {
  readonly rows: number;
  /** The day embargoes were held against, and the days found: another day may give other fates. */
  readonly today: string;
  readonly embargoes: readonly string[];
  /** Values of `split.by` that came, each once. */
  readonly splitValues: readonly string[];
  /** Indices of kept rows that are held out. */
  readonly heldout: readonly number[];
  /** Index in the batch, of rows that are not kept or that were changed. */
  readonly odd: readonly OddRow[];
}

export type OddRow = readonly [
  row: number,
  reading: Pick<RowReading, 'fate' | 'reason' | 'embargo'> & {
    readonly changes: readonly string[];
    readonly issue: Json | null;
  },
];

const magic = 0x4c54524d;
const headWords = 6;

/** Little-endian: six u32 (mark, crc of the rest, length of each section but the last), then the sections. */
export function encodePart({ head, rows, rowEnds, ledger, ledgerEnds, ids }: Part): Buffer {
  const headText = Buffer.from(JSON.stringify(head));
  const padding = Buffer.alloc(-headText.length & 3, ' ');
  const headBytes = Buffer.concat([headText, padding]);
  const sections = [headBytes, bytesOf(rowEnds), bytesOf(ledgerEnds), ids, rows, ledger];
  const body = Buffer.concat(sections);
  const lead = Buffer.from(
    Uint32Array.of(magic, crc32(body), headBytes.length, rowEnds.length, rows.length, ledger.length).buffer,
  );
  return Buffer.concat([lead, body]);
}

/** Undefined for bytes that are not a whole part: cut off, or of another making. */
export function decodePart(bytes: Buffer): Part | undefined {
  const start = headWords * 4;
  if (bytes.length < start) return undefined;
  const [mark, sum, headLength = 0, count = 0, rowsLength = 0, ledgerLength = 0] = words(bytes, 0, headWords);
  const body = bytes.subarray(start);
  const whole = headLength + count * (4 + 4 + 32) + rowsLength + ledgerLength;
  if (mark !== magic || body.length !== whole || crc32(body) !== sum) return undefined;
  let at = 0;
  const take = (length: number): Buffer => {
    at += length;
    return body.subarray(at - length, at);
  };
  const head = JSON.parse(take(headLength).toString()) as PartHead;
  const ends = (): Uint32Array => {
    const section = take(count * 4);
    return words(section, 0, count);
  };
  const rowEnds = ends();
  const ledgerEnds = ends();
  const ids = take(count * 32);
  const rows = take(rowsLength);
  return { head, rowEnds, ledgerEnds, ids, rows, ledger: take(ledgerLength) };
}

function words(bytes: Buffer, ...[at, count]: [at: number, count: number]): Uint32Array {
  // A copy, for a view would have to begin on a multiple of four.
  const copy = new Uint8Array(count * 4);
  copy.set(bytes.subarray(at, at + count * 4));
  return new Uint32Array(copy.buffer);
}

function bytesOf(words: Uint32Array): Buffer {
  return Buffer.from(words.buffer, words.byteOffset, words.byteLength);
}

export const lineOf = (texts: Buffer, ends: Uint32Array, row: number): Buffer =>
  texts.subarray(row === 0 ? 0 : (ends[row - 1] ?? 0), ends[row] ?? 0);

/** A sample or a ledger entry that this program wrote. */
export function parseLine<T>(line: Buffer): T {
  try {
    return JSON.parse(line.toString()) as T;
  } catch (cause) {
    throw new MartletError('bug', 'a part of the cache holds what is not JSON', { cause });
  }
}
