import { expect, test } from 'vitest';
import { randomStream } from '../../core/random.ts';
import { stepInput } from '../../schema/steps.ts';
import { agreement, bandRows } from './minhash.ts';
import { nearDuplicates } from './near-duplicates.ts';

const permutations = 32;

/** Signatures of which many are an earlier one with some numbers changed; a few are of rows without words. */
function signatures(count: number): readonly Uint32Array[] {
  const random = randomStream(5);
  const all: Uint32Array[] = [];
  for (let row = 0; row < count; row++) {
    const origin = all[random.below(row + 1)];
    const kind = random.below(10);
    const fresh = Uint32Array.from({ length: permutations }, () => random.next());
    const changed = random.below(permutations / 2);
    if (kind === 0) fresh.fill(0);
    else if (kind < 5 && origin && origin[0] !== 0)
      for (let k = 0; k < permutations; k++) if (random.below(permutations) >= changed) fresh[k] = origin[k] ?? 0;
    all.push(fresh);
  }
  return all;
}

/** Every pair, compared as a whole. */
function likest(all: readonly Uint32Array[], threshold: number): [number, number][] {
  const width = bandRows(permutations, threshold);
  const meet = (a: Uint32Array, b: Uint32Array): boolean =>
    Array.from({ length: Math.floor(permutations / width) }, (_, band) => band * width).some((from) =>
      a.subarray(from, from + width).every((value, k) => value === b[from + k]),
    );
  return all.flatMap((one, row): [number, number][] => {
    let best = { earlier: -1, share: 0 };
    for (const [earlier, other] of all.slice(0, row).entries()) {
      if (one[0] === 0 || other[0] === 0 || !meet(one, other)) continue;
      const share = agreement(one, other);
      if (share >= threshold && share > best.share) best = { earlier, share };
    }
    return best.earlier === -1 ? [] : [[row, best.earlier]];
  });
}

test.each([0.5, 0.8])(
  'each row is dropped for the likest before it, as comparing all pairs says, from %d on',
  async (threshold) => {
    const all = signatures(400);
    const step = await nearDuplicates.open(
      nearDuplicates.options.parse(stepInput.parse({ step: 'near-duplicates', threshold, permutations })),
    );
    if (step.kind !== 'whole') throw new Error('it looks at all rows');
    const read = new Map<number, number>();
    const { drops } = step.decide({
      count: all.length,
      source: () => 'rows.jsonl',
      place: (row) => `rows.jsonl:${row}`,
      feature(row) {
        read.set(row, (read.get(row) ?? 0) + 1);
        return new Uint8Array(all[row]?.buffer ?? new ArrayBuffer(0));
      },
    });
    const expected = likest(all, threshold);
    expect([...drops].map(([row, { reason }]) => [row, Number(/rows\.jsonl:(\d+)/.exec(reason)?.[1])])).toEqual(
      expected,
    );
    expect(expected.length).toBeGreaterThan(50);
    // Rows that resemble nothing are read once, for their bands.
    expect([...read.values()].filter((times) => times === 1).length).toBeGreaterThan(100);
  },
);
