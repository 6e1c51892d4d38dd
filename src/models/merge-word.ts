import { byteAlphabet } from './byte-alphabet.ts';
import type { WordTokens } from './word-table.ts';

interface MergeDefinition {
  readonly model: {
    readonly vocab: Readonly<Record<string, number>> | readonly unknown[];
    readonly merges?: readonly (string | readonly [string, string])[];
    readonly ignore_merges?: boolean;
    readonly continuing_subword_prefix?: string | null;
    readonly end_of_word_suffix?: string | null;
  };
}

export type MergeWord = (word: string) => WordTokens | undefined;

/** Longer words are left to the crate, whose way through them is faster. */
const longestBytes = 255;

/**
 * Byte-pair merging (Sennrich et al., 2016) of one word of a byte-level vocabulary: of all neighbours the pair that was
 * learned first becomes one, the leftmost of equals, until no pair is known.
 * @param ids of the vocabulary, which may hold added tokens too
 * @returns undefined where the vocabulary is of another kind; the function gives undefined for a word it leaves to others.
 */
export function wordMerger({ model }: MergeDefinition, ids: ReadonlyMap<string, number>): MergeWord | undefined {
  const { vocab, merges, ignore_merges: ignoreMerges = false } = model;
  if (Array.isArray(vocab) || !merges || model.continuing_subword_prefix || model.end_of_word_suffix) return undefined;
  const alphabet = byteAlphabet();
  const symbolOf = Int32Array.from(alphabet, (symbol) => ids.get(symbol) ?? -1);
  const pairs = pairTable(merges, ids);
  if (!pairs) return undefined;
  const encoder = new TextEncoder();
  // One byte more than is taken tells a word that is too long.
  const utf8 = new Uint8Array(longestBytes + 4);
  const symbols = new Int32Array(longestBytes);
  const ends = new Uint8Array(longestBytes);
  return (word) => {
    const { read, written } = encoder.encodeInto(word, utf8);
    if (read < word.length || written > longestBytes) return undefined;
    if (ignoreMerges) {
      const whole = ids.get(Array.from(utf8.subarray(0, written), (byte) => alphabet[byte]).join(''));
      if (whole !== undefined) return { ids: [whole], ranges: [0, word.length] };
    }
    for (let at = 0; at < written; at++) {
      const symbol = symbolOf[utf8[at] as number] as number;
      // A vocabulary may lack bytes it never saw; what becomes of them is the crate's to say.
      if (symbol === -1) return undefined;
      symbols[at] = symbol;
      ends[at] = at + 1;
    }
    const count = merge({ symbols, ends, count: written }, pairs);
    return { ids: Array.from(symbols.subarray(0, count)), ranges: rangesOf(word, ends.subarray(0, count), written) };
  };
}

/** By the two ids of a pair: how early it was learned (-1 for one that was not), and what it becomes. */
interface PairTable {
  rankOf(left: number, right: number): number;
  readonly results: Uint32Array;
}

function pairTable(
  merges: readonly (string | readonly [string, string])[],
  ids: ReadonlyMap<string, number>,
): PairTable | undefined {
  const results = new Uint32Array(merges.length);
  let slotCount = 2;
  while (slotCount < merges.length * 2) slotCount *= 2;
  /** Two ids and a rank a slot, the next one where it is taken; -1 is an empty slot. */
  const slots = new Int32Array(slotCount * 3).fill(-1);
  const slotOf = (left: number, right: number): number => {
    const hash = Math.imul(Math.imul(left, 0x9e3779b1) ^ right, 0x85ebca6b);
    let slot = (hash ^ (hash >>> 15)) & (slotCount - 1);
    while (slots[slot * 3] !== -1 && (slots[slot * 3] !== left || slots[slot * 3 + 1] !== right))
      slot = (slot + 1) & (slotCount - 1);
    return slot * 3;
  };
  for (const [rank, merge] of merges.entries()) {
    const space = typeof merge === 'string' ? merge.indexOf(' ') : -1;
    const [left, right] = typeof merge === 'string' ? [merge.slice(0, space), merge.slice(space + 1)] : merge;
    const [a, b, c] = [ids.get(left), ids.get(right), ids.get(left + right)];
    if (a === undefined || b === undefined || c === undefined) return undefined;
    const slot = slotOf(a, b);
    slots[slot] = a;
    slots[slot + 1] = b;
    slots[slot + 2] = rank;
    results[rank] = c;
  }
  return { rankOf: (left, right) => slots[slotOf(left, right) + 2] as number, results };
}

interface Symbols {
  readonly symbols: Int32Array;
  /** Where each ends in the word's bytes. */
  readonly ends: Uint8Array;
  readonly count: number;
}

const ranks = new Int32Array(longestBytes);

/** Merges in place, moving what follows to the left; gives how many symbols are left. */
function merge({ symbols, ends, count: bytes }: Symbols, { rankOf, results }: PairTable): number {
  let count = bytes;
  const rankAt = (index: number): number => rankOf(symbols[index] as number, symbols[index + 1] as number);
  for (let index = 0; index < count - 1; index++) ranks[index] = rankAt(index);
  for (;;) {
    let best = -1;
    let lowest = Number.MAX_SAFE_INTEGER;
    for (let index = 0; index < count - 1; index++) {
      const rank = ranks[index] as number;
      if (rank === -1 || rank >= lowest) continue;
      lowest = rank;
      best = index;
    }
    if (best === -1) return count;
    symbols[best] = results[lowest] as number;
    count--;
    symbols.copyWithin(best + 1, best + 2, count + 1);
    ends.copyWithin(best, best + 1, count + 1);
    ranks.copyWithin(best, best + 1, count);
    if (best > 0) ranks[best - 1] = rankAt(best - 1);
    if (best < count - 1) ranks[best] = rankAt(best);
  }
}

/** A token that holds some bytes of a character stands for all of it. */
function rangesOf(word: string, ...[ends, bytes]: [ends: Uint8Array, bytes: number]): number[] {
  const ranges: number[] = [];
  const isAscii = bytes === word.length;
  const { from, to } = isAscii ? { from: [], to: [] } : unitsOfBytes(word);
  let start = 0;
  for (const end of ends) {
    if (isAscii) ranges.push(start, end);
    else ranges.push(from[start] ?? 0, to[end - 1] ?? 0);
    start = end;
  }
  return ranges;
}

/** Where the character starts and ends that each byte of a word's UTF-8 belongs to, in UTF-16 units. */
function unitsOfBytes(word: string): { readonly from: readonly number[]; readonly to: readonly number[] } {
  const from: number[] = [];
  const to: number[] = [];
  let at = 0;
  for (const character of word) {
    const bytes = Buffer.byteLength(character);
    for (let byte = 0; byte < bytes; byte++) {
      from.push(at);
      to.push(at + character.length);
    }
    at += character.length;
  }
  return { from, to };
}
