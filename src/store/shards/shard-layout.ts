import { endianness } from 'node:os';
import { invariant, MartletError } from '../../core/error.ts';
import type { ShardSplit } from '../../schema/shards.ts';

/** The files of one split of a shards folder; what they hold is said in `schema/shards.ts`. */
export const shardFiles = (split: ShardSplit) => ({
  ids: `${split}.ids.u32`,
  weights: `${split}.weights.f32`,
  documents: `${split}.documents.u32`,
  prompts: `${split}.prompts.u32`,
  rows: `${split}.rows.u32`,
  lines: `${split}.lines.u64`,
  schedule: `${split}.schedule.u32`,
  packs: `${split}.packs.u32`,
  steps: `${split}.steps.u32`,
});

/** Numbers a document in `documents`: row, first token, tokens, group. */
export const documentNumbers = 4;

/** Numbers a document in `prompts`: first token, tokens. */
export const promptNumbers = 2;

/** Numbers a row in `rows`: eight of its id, tokens cut off it. */
export const rowNumbers = 9;

/** A row that documents were made of. */
export interface ShardRow {
  /** Of its sample: 64 hex digits. */
  readonly id: string;
  readonly cutTokens: number;
}

/** Its numbers in `rows`. */
export function packShardRow({ id, cutTokens }: ShardRow): Uint32Array {
  const numbers = new Uint32Array(rowNumbers);
  const written = Buffer.from(numbers.buffer, 0, idBytes).write(id, 'hex');
  invariant(written === idBytes && id.length === 2 * idBytes, `the id of a sample is no sha-256: ${id}`);
  numbers[rowNumbers - 1] = cutTokens;
  return numbers;
}

export function unpackShardRow(numbers: Uint32Array): ShardRow {
  const id = Buffer.from(numbers.buffer, numbers.byteOffset, idBytes).toString('hex');
  return { id, cutTokens: numbers[rowNumbers - 1] ?? 0 };
}

const idBytes = 32;

/** Numbers a row in `lines`: first byte, bytes. */
export const lineNumbers = 2;

/**
 * Raised whenever the same rows and values would give other shards, so that older ones are not taken for them; also part of
 * what decides whether the store holds them already.
 */
export const shardCode = 4;

/** Shards are little-endian, and typed arrays have the byte order of the machine. */
export function requireLittleEndian(): void {
  if (endianness() !== 'LE')
    throw new MartletError('big-endian', 'shards are little-endian, and this machine is not', {
      hint: 'Use a little-endian machine.',
    });
}
