import { randomStream, streamKey } from '../../core/random.ts';

/** Gives a text's signature: for each of `permutations` hash functions the least hash over its groups of words. */
export interface MinHash {
  signature(words: readonly string[], into: Uint32Array): void;
}

/**
 * Broder (1997): two signatures agree at a place with the probability that is their texts' Jaccard similarity, by groups of
 * `words` words that follow one another. A text shorter than that is one group.
 */
export function minHash(options: {
  readonly words: number;
  readonly permutations: number;
  readonly seed: number;
}): MinHash {
  const random = randomStream(streamKey(options.seed, 0x317a54));
  const factors = Uint32Array.from({ length: options.permutations }, () => random.next() | 1);
  const addends = Uint32Array.from({ length: options.permutations }, () => random.next());
  return {
    signature(words, into) {
      into.fill(0xffffffff);
      const hashes = Uint32Array.from(words, hashWord);
      const last = Math.max(0, hashes.length - options.words);
      for (let start = 0; start <= last; start++) {
        let group = 0x811c9dc5;
        const end = Math.min(hashes.length, start + options.words);
        for (let i = start; i < end; i++) group = Math.imul(group ^ (hashes[i] ?? 0), 0x01000193) + (group >>> 15);
        group ^= group >>> 16;
        for (let k = 0; k < into.length; k++) {
          // Multiply, add, fold the high half down: the low bits of a product alone are too regular.
          let value = Math.imul(group, factors[k] as number) + (addends[k] as number);
          value = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d) >>> 0;
          if (value < (into[k] as number)) into[k] = value;
        }
      }
    },
  };
}

/** FNV-1a over UTF-16 units. */
function hashWord(word: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < word.length; i++) hash = Math.imul(hash ^ word.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** The share of places at which two signatures agree: an estimate, with deviation sqrt(s(1-s)/permutations). */
export function agreement(a: Uint32Array, b: Uint32Array): number {
  let same = 0;
  for (let k = 0; k < a.length; k++) if (a[k] === b[k]) same++;
  return same / a.length;
}

/**
 * Rows a band, so that texts of the threshold's similarity share a band with a probability of at least 0.95: of all such
 * divisions the one with the longest bands, which meets the fewest unlike texts.
 */
export function bandRows(permutations: number, threshold: number): number {
  let best = 1;
  for (let rows = 1; rows <= permutations; rows++) {
    const bands = Math.floor(permutations / rows);
    if (1 - (1 - threshold ** rows) ** bands >= 0.95) best = rows;
  }
  return best;
}
