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

function* dropsOf(rows: WholeRows, { threshold, permutations }: Options): Generator<readonly [number, Drop]> {
  const { count } = rows;
  const width = bandRows(permutations, threshold);
  const bands = Math.floor(permutations / width);
  const likeness = new Float32Array(count);
  const like = new Uint32Array(count);
  const one = new Uint32Array(permutations);
  const other = new Uint32Array(permutations);
  const load = (row: number, into: Uint32Array): boolean => {
    new Uint8Array(into.buffer).set(rows.feature(row));
    // Never true of a signature: the least of many hashes.
    return into[0] !== 0 || into[1] !== 0;
  };
  for (let band = 0; band < bands; band++) {
    // One table at a time: heads of chains by the band's hash, and for each row the one before it in its chain.
    const size = 2 ** Math.ceil(Math.log2(Math.max(2, count * 2)));
    const heads = new Uint32Array(size);
    const previous = new Uint32Array(count);
    for (let row = 0; row < count; row++) {
      if (!load(row, one)) continue;
      const bucket = bandHash(one, band * width, width) & (size - 1);
      let candidate = heads[bucket] ?? 0;
      previous[row] = candidate;
      heads[bucket] = row + 1;
      for (let compared = 0; candidate > 0 && compared < mostCompared; compared++) {
        const earlier = candidate - 1;
        load(earlier, other);
        if (sameBand(one, other, band * width, width)) {
          const share = agreement(one, other);
          const better = share > (likeness[row] ?? 0) + 1e-6;
          const first = Math.abs(share - (likeness[row] ?? 0)) <= 1e-6 && earlier < (like[row] ?? 0);
          if (share >= threshold && (better || first)) {
            likeness[row] = share;
            like[row] = earlier;
          }
        }
        candidate = previous[earlier] ?? 0;
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
