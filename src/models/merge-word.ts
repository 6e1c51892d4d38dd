import { byteAlphabet } from './byte-alphabet.ts';

interface MergeDefinition {
  readonly model: {
    readonly vocab: Readonly<Record<string, number>> | readonly unknown[];
    readonly merges?: readonly (string | readonly [string, string])[];
    readonly ignore_merges?: boolean;
    readonly continuing_subword_prefix?: string | null;
    readonly end_of_word_suffix?: string | null;
  };
}

/** Ids of a word, and two numbers each: where it starts and ends in the word, in UTF-16 units. */
export interface MergedWord {
  readonly ids: readonly number[];
  readonly ranges: readonly number[];
}

export type MergeWord = (word: string) => MergedWord | undefined;

/** Longer words are left to the crate, whose way through them is faster. */
const longestBytes = 255;

/**
 * Byte-pair merging (Sennrich et al., 2016) of one word of a byte-level vocabulary: of all neighbours the pair that was
 * learned first becomes one, the leftmost of equals, until no pair is known.
 * @returns undefined where the vocabulary is of another kind; the function gives undefined for a word it leaves to others.
 */
export function wordMerger({ model }: MergeDefinition): MergeWord | undefined {
  const { vocab, merges, ignore_merges: ignoreMerges = false } = model;
  if (Array.isArray(vocab) || !merges || model.continuing_subword_prefix || model.end_of_word_suffix) return undefined;
  const ids = new Map(Object.entries(vocab as Readonly<Record<string, number>>));
  const alphabet = byteAlphabet();
  const bytes = alphabet.map((symbol) => ids.get(symbol));
  const pairs = pairTable(merges, ids);
  if (!pairs) return undefined;
  const encoder = new TextEncoder();
  return (word) => {
    const utf8 = encoder.encode(word);
    if (utf8.length > longestBytes) return undefined;
    if (ignoreMerges) {
      const whole = ids.get(Array.from(utf8, (byte) => alphabet[byte]).join(''));
      if (whole !== undefined) return { ids: [whole], ranges: [0, word.length] };
    }
    const symbols: number[] = [];
    for (const byte of utf8) {
      const id = bytes[byte];
      // A vocabulary may lack bytes it never saw; what becomes of them is the crate's to say.
      if (id === undefined) return undefined;
      symbols.push(id);
    }
    const ends = utf8.map((_, index) => index + 1);
    const lengths = merge(symbols, ends, pairs);
    return { ids: symbols.slice(0, lengths), ranges: rangesOf(word, { utf8, ends: ends.subarray(0, lengths) }) };
  };
}

/** By the two ids of a pair: how early it was learned, and what it becomes. */
interface PairTable {
  readonly width: number;
  readonly ranks: ReadonlyMap<number, number>;
  readonly results: ArrayLike<number>;
}

function pairTable(
  merges: readonly (string | readonly [string, string])[],
  ids: ReadonlyMap<string, number>,
): PairTable | undefined {
  const width = 2 ** 21;
  const ranks = new Map<number, number>();
  const results = new Uint32Array(merges.length);
  for (const [rank, merge] of merges.entries()) {
    const [left = '', right = ''] = typeof merge === 'string' ? merge.split(' ') : merge;
    const [a, b, c] = [ids.get(left), ids.get(right), ids.get(left + right)];
    if (a === undefined || b === undefined || c === undefined || a >= width || b >= width) return undefined;
    ranks.set(a * width + b, rank);
    results[rank] = c;
  }
  return { width, ranks, results };
}

/** Merges in place, moving what follows to the left; gives how many symbols are left. */
function merge(symbols: number[], ends: Uint8Array, { width, ranks, results }: PairTable): number {
  let count = symbols.length;
  const rankAt = (index: number): number =>
    ranks.get((symbols[index] ?? 0) * width + (symbols[index + 1] ?? 0)) ?? Number.POSITIVE_INFINITY;
  const known = Array.from({ length: Math.max(0, count - 1) }, (_, index) => rankAt(index));
  for (;;) {
    let best = -1;
    let lowest = Number.POSITIVE_INFINITY;
    for (let index = 0; index < count - 1; index++) {
      const rank = known[index] ?? Number.POSITIVE_INFINITY;
      if (rank >= lowest) continue;
      lowest = rank;
      best = index;
    }
    if (best === -1) return count;
    symbols[best] = results[lowest] ?? 0;
    ends[best] = ends[best + 1] ?? 0;
    symbols.splice(best + 1, 1);
    ends.copyWithin(best + 1, best + 2, count);
    known.splice(best, 1);
    count--;
    if (best > 0) known[best - 1] = rankAt(best - 1);
    if (best < count - 1) known[best] = rankAt(best);
  }
}

/** A token that holds some bytes of a character stands for all of it. */
function rangesOf(word: string, { utf8, ends }: { readonly utf8: Uint8Array; readonly ends: Uint8Array }): number[] {
  const starts = [0, ...ends.subarray(0, -1)];
  if (utf8.length === word.length) return starts.flatMap((start, index) => [start, ends[index] ?? 0]);
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
  return starts.flatMap((start, index) => [from[start] ?? 0, to[(ends[index] ?? 1) - 1] ?? 0]);
}
