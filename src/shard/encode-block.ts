import { hash } from 'node:crypto';
import type { Sample } from '../schema/sample.ts';
import { type ShardRow, type ShardSplit, shardSplits } from '../schema/shards.ts';
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
  /** Lines of `<split>.rows.jsonl`. */
  readonly lines: Uint8Array;
}

export interface LostRow {
  readonly id: string;
  readonly place: string;
  readonly fate: LostFate;
  readonly reason: string;
  readonly longestTokens?: number;
}

export interface EncodedBlock {
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
  for (const sample of samplesOf(lines)) {
    const result = await documentsOf(sample, rules);
    if ('fate' in result) {
      lost.push({ ...result, id: sample.id, place: `${sample.provenance.file}:${sample.provenance.line}` });
      continue;
    }
    if (result.truncated) truncated++;
    if (result.split) split++;
    splits[sample.split].add(sample, result.documents, result.split ? 0 : sharedPrompt(result.documents));
  }
  return {
    splits: Object.fromEntries(shardSplits.map((split) => [split, splits[split].finish()])) as EncodedBlock['splits'],
    lost,
    truncated,
    split,
  };
}

function* samplesOf(lines: Uint8Array): Generator<Sample> {
  const bytes = Buffer.from(lines.buffer, lines.byteOffset, lines.byteLength);
  for (let start = 0; start < bytes.length; ) {
    const feed = bytes.indexOf(10, start);
    const end = feed === -1 ? bytes.length : feed;
    if (end > start) yield JSON.parse(bytes.toString('utf8', start, end)) as Sample;
    start = end + 1;
  }
}

function rowCollector() {
  let rows = 0;
  let tokens = 0;
  const documents: number[] = [];
  const pieces: Tokens[] = [];
  const order: number[] = [];
  const lines: string[] = [];
  const store = ({ ids, weights }: Tokens, from: number, to: number): number => {
    const first = tokens;
    pieces.push({ ids: ids.subarray(from, to), weights: weights.subarray(from, to) });
    tokens += to - from;
    return first;
  };
  return {
    /** @param shared first tokens that all documents have in common and that are stored once */
    add(sample: Sample, ...[made, shared]: [readonly Tokens[], number]): void {
      const prompt = made[0] && shared > 0 ? store(made[0], 0, shared) : tokens;
      for (const document of made) {
        const length = document.ids.length;
        const first = store(document, shared, length);
        documents.push(rows, first, length - shared, prompt, shared, learnedIn(document.weights));
      }
      order.push(...contentOrder(sample.id));
      const { source, file, line, sha256 } = sample.provenance;
      lines.push(`${JSON.stringify({ id: sample.id, source, file, line, sha256 } satisfies ShardRow)}\n`);
      rows++;
    },
    finish(): EncodedRows {
      const ids = new Uint32Array(tokens);
      const weights = new Float32Array(tokens);
      let at = 0;
      for (const piece of pieces) {
        ids.set(piece.ids, at);
        weights.set(piece.weights, at);
        at += piece.ids.length;
      }
      return {
        rows,
        documents: Uint32Array.from(documents),
        ids,
        weights,
        order: Float64Array.from(order),
        lines: new TextEncoder().encode(lines.join('')),
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
