import { hash } from 'node:crypto';
import { roomFor } from '../core/room-for.ts';
import type { Sample } from '../schema/sample.ts';
import { type ShardSplit, shardSplits } from '../schema/shards.ts';
import { packShardRow } from '../store/shards/shard-layout.ts';
import { type DocumentRules, documentsOf, type LostFate, sharedPrompt, type Tokens } from './documents.ts';

/** The rows of one split of a block, as numbers that a thread hands over without copying. */
export interface EncodedRows {
  readonly rows: number;
  /** Six numbers a document: row, first token and length of its own tokens, first token and length of its prompt, tokens learned. */
  readonly documents: Uint32Array;
  readonly ids: Uint32Array;
  readonly weights: Float32Array;
  /** Two numbers a row that order rows by content: see `contentOrder`. */
  readonly order: Float64Array;
  /** Nine numbers a row: see `packShardRow`. */
  readonly table: Uint32Array;
  /** Two numbers a row: where its line begins in the block, and its length, in bytes. */
  readonly places: Float64Array;
}

export interface LostRow {
  readonly id: string;
  readonly place: string;
  readonly fate: LostFate;
  readonly reason: string;
  readonly longestTokens?: number;
}

export interface EncodedBlock {
  /** Of the lines that were encoded. */
  readonly bytes: number;
  readonly splits: Readonly<Record<ShardSplit, EncodedRows>>;
  readonly lost: readonly LostRow[];
  readonly truncated: number;
  /** Rows that became several documents, because the template rewrites them. */
  readonly split: number;
}

/** Whole lines of a dataset's `rows.jsonl` in, tokens out. */
export type EncodeBlock = (lines: Uint8Array) => Promise<EncodedBlock>;

export const blockDocumentNumbers = 6;

/** @throws SyntaxError for a line that is not JSON. */
export async function encodeBlock(lines: Uint8Array, rules: DocumentRules): Promise<EncodedBlock> {
  const splits = { train: rowCollector(), heldout: rowCollector() };
  const lost: LostRow[] = [];
  let truncated = 0;
  let split = 0;
  for (const { sample, place } of samplesOf(lines)) {
    const result = await documentsOf(sample, rules);
    if ('fate' in result) {
      lost.push({ ...result, id: sample.id, place: `${sample.provenance.file}:${sample.provenance.line}` });
      continue;
    }
    const { documents, cutTokens } = result;
    if (cutTokens > 0) truncated++;
    if (result.split) split++;
    const shared = result.split ? 0 : sharedPrompt(documents);
    splits[sample.split].add({ sample, place, documents, cutTokens, shared });
  }
  return {
    bytes: lines.byteLength,
    splits: Object.fromEntries(shardSplits.map((split) => [split, splits[split].finish()])) as EncodedBlock['splits'],
    lost,
    truncated,
    split,
  };
}

/** First byte and length of a line in its block. */
type LinePlace = readonly [start: number, length: number];

function* samplesOf(lines: Uint8Array): Generator<{ readonly sample: Sample; readonly place: LinePlace }> {
  const bytes = Buffer.from(lines.buffer, lines.byteOffset, lines.byteLength);
  for (let start = 0; start < bytes.length; ) {
    const feed = bytes.indexOf(10, start);
    const end = feed === -1 ? bytes.length : feed;
    if (end > start)
      yield { sample: JSON.parse(bytes.toString('utf8', start, end)) as Sample, place: [start, end - start] };
    start = end + 1;
  }
}

interface CollectedRow {
  readonly sample: Sample;
  readonly place: LinePlace;
  readonly documents: readonly Tokens[];
  readonly cutTokens: number;
  /** First tokens that all documents have in common and that are stored once. */
  readonly shared: number;
}

function rowCollector() {
  let rows = 0;
  let tokens = 0;
  let ids = new Uint32Array(2 ** 12);
  let weights = new Float32Array(2 ** 12);
  const documents: number[] = [];
  const order: number[] = [];
  const table: number[] = [];
  const places: number[] = [];
  const store = (made: Tokens, ...[from, to]: [from: number, to: number]): number => {
    const first = tokens;
    tokens += to - from;
    ids = roomFor(ids, tokens);
    weights = roomFor(weights, tokens);
    ids.set(made.ids.subarray(from, to), first);
    weights.set(made.weights.subarray(from, to), first);
    return first;
  };
  return {
    add({ sample, place, documents: made, cutTokens, shared }: CollectedRow): void {
      const prompt = made[0] && shared > 0 ? store(made[0], 0, shared) : tokens;
      for (const document of made) {
        const length = document.ids.length;
        const first = store(document, shared, length);
        documents.push(rows, first, length - shared, prompt, shared, learnedIn(document.weights));
      }
      order.push(...contentOrder(sample.id));
      table.push(...packShardRow({ id: sample.id, cutTokens }));
      places.push(...place);
      rows++;
    },
    finish(): EncodedRows {
      return {
        rows,
        documents: Uint32Array.from(documents),
        ids: ids.slice(0, tokens),
        weights: weights.slice(0, tokens),
        order: Float64Array.from(order),
        table: Uint32Array.from(table),
        places: Float64Array.from(places),
      };
    },
  };
}

function learnedIn(weights: Float32Array): number {
  let learned = 0;
  for (const weight of weights) if (weight > 0) learned++;
  return learned;
}

/** 104 bits of the hash of a row's id, as two whole numbers: rows stand in the same order wherever they came from. */
export function contentOrder(id: string): readonly [number, number] {
  const digest = hash('sha256', id);
  return [Number.parseInt(digest.slice(0, 13), 16), Number.parseInt(digest.slice(13, 26), 16)];
}
