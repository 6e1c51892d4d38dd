import { optionsOf } from '../../schema/steps.ts';
import { agreement, bandRows, minHash } from './minhash.ts';
import { type Drop, defineStep, type WholeRows } from './step.ts';
import { comparedWords, textsOf } from './texts.ts';

/**
 * Drops rows that resemble an earlier one: MinHash signatures, candidates by bands that agree (LSH), judged by the share of
 * the signature that agrees. Rows whose texts have no words resemble nothing.
 */
export const nearDuplicates = defineStep({
  name: 'near-duplicates',
  version: 1,
  options: optionsOf('near-duplicates'),
  open({ threshold, words, permutations, seed }) {
    const hasher = minHash({ words, permutations, seed });
    return {
      kind: 'whole',
      featureBytes: permutations * 4,
      feature(sample, into) {
        const said = comparedWords(
          textsOf(sample)
            .map(({ text }) => text)
            .join('\n'),
        );
        const signature = new Uint32Array(permutations);
        if (said.length > 0) hasher.signature(said, signature);
        into.set(new Uint8Array(signature.buffer));
      },
      decide: (rows) => ({ drops: dropsOf(rows, { threshold, permutations }) }),
    };
  },
});

/** Rows of one bucket that are compared; a crowd of strangers in one bucket would cost the square of its size. */
const mostCompared = 32;

interface Options {
  readonly threshold: number;
  readonly permutations: number;
}

/** Memory: 4 bytes for each band of a row (18 of 128 numbers at a threshold of 0.8) and some 25 more; no signature stays. */
function* dropsOf(rows: WholeRows, { threshold, permutations }: Options): Generator<readonly [number, Drop]> {
  const { count } = rows;
  const width = bandRows(permutations, threshold);
  const bands = Math.floor(permutations / width);
  const { keys, isEmpty } = bandKeys(rows, { permutations, width, bands });
  const likeness = new Float32Array(count);
  const like = new Uint32Array(count);
  const signatures = recentSignatures(rows, permutations);
  const one = new Uint32Array(permutations);
  let loaded = -1;
  for (const [band, keysOf] of keys.entries()) {
    // One table at a time: heads of chains by the band's key, and for each row the one before it in its chain.
    const size = 2 ** Math.ceil(Math.log2(Math.max(2, count * 2)));
    const heads = new Uint32Array(size);
    const previous = new Uint32Array(count);
    for (let row = 0; row < count; row++) {
      if (isEmpty[row] === 1) continue;
      const key = keysOf[row] ?? 0;
      const bucket = key & (size - 1);
      let candidate = heads[bucket] ?? 0;
      previous[row] = candidate;
      heads[bucket] = row + 1;
      for (let compared = 0; candidate > 0 && compared < mostCompared; compared++) {
        const earlier = candidate - 1;
        candidate = previous[earlier] ?? 0;
        const isKnown = like[row] === earlier && likeness[row] !== 0;
        if (keysOf[earlier] !== key || isKnown) continue;
        if (loaded !== row) loadSignature(rows, row, one);
        loaded = row;
        const other = signatures(earlier);
        if (!sameBand(one, other, band * width, width)) continue;
        const share = agreement(one, other);
        const better = share > (likeness[row] ?? 0) + 1e-6;
        const first = Math.abs(share - (likeness[row] ?? 0)) <= 1e-6 && earlier < (like[row] ?? 0);
        if (share >= threshold && (better || first)) {
          likeness[row] = share;
          like[row] = earlier;
        }
      }
    }
  }
  for (let row = 0; row < count; row++) {
    const share = likeness[row] ?? 0;
    if (share === 0) continue;
    const reason = `resembles ${rows.place(like[row] ?? 0)}: about ${Math.round(share * 100)} % in common`;
    yield [row, { fate: 'duplicate', code: 'near-duplicate', reason }];
  }
}

interface Banding {
  readonly permutations: number;
  readonly width: number;
  readonly bands: number;
}

/** For each band a key of each row; `isEmpty` is 1 for rows without words. */
function bandKeys(rows: WholeRows, { permutations, width, bands }: Banding) {
  const keys = Array.from({ length: bands }, () => new Uint32Array(rows.count));
  const isEmpty = new Uint8Array(rows.count);
  const one = new Uint32Array(permutations);
  for (let row = 0; row < rows.count; row++) {
    loadSignature(rows, row, one);
    // Never true of a signature: the least of many hashes.
    if (one[0] === 0 && one[1] === 0) isEmpty[row] = 1;
    else for (const [band, keysOf] of keys.entries()) keysOf[row] = bandHash(one, band * width, width);
  }
  return { keys, isEmpty };
}

function loadSignature(rows: WholeRows, ...[row, into]: [number, Uint32Array]): void {
  new Uint8Array(into.buffer).set(rows.feature(row));
}

/** Signatures that are held to be compared again: rows that resemble one another are asked for again and again. */
const held = 2 ** 14;

/** Signatures of single rows; each holds until the next call. */
function recentSignatures(rows: WholeRows, permutations: number): (row: number) => Uint32Array {
  const slots = Math.min(held, rows.count);
  const holds = new Int32Array(slots).fill(-1);
  const signatures = Array.from({ length: slots }, () => null as Uint32Array | null);
  return (row) => {
    const slot = row % slots;
    const known = signatures[slot] ?? new Uint32Array(permutations);
    if (holds[slot] !== row) loadSignature(rows, row, known);
    holds[slot] = row;
    signatures[slot] = known;
    return known;
  };
}

function bandHash(signature: Uint32Array, ...[from, width]: [number, number]): number {
  let hash = from;
  for (let k = from; k < from + width; k++) {
    hash = Math.imul(hash ^ (signature[k] ?? 0), 0x85ebca6b);
    hash ^= hash >>> 13;
  }
  return hash >>> 0;
}

function sameBand(a: Uint32Array, b: Uint32Array, ...[from, width]: [number, number]): boolean {
  for (let k = from; k < from + width; k++) if (a[k] !== b[k]) return false;
  return true;
}
