import { expect, test } from 'vitest';
import { randomStream, streamKey } from '../core/random.ts';
import { packBestFit, packEvenly, packRows } from './pack.ts';

test('the largest first, each into the fullest pack with room', () => {
  expect(packBestFit([3, 7, 2, 5, 3], 10)).toEqual([
    [1, 0],
    [3, 4, 2],
  ]);
  expect(packBestFit([6, 4, 8, 2], 10)).toEqual([
    [2, 3],
    [0, 1],
  ]);
});

test('an item larger than a pack gets one of its own', () => {
  expect(packBestFit([4, 25, 6], 10)).toEqual([[1], [2, 0]]);
});

test('no items, no packs', () => {
  expect(packBestFit([], 10)).toEqual([]);
});

test('each item once, packs within capacity, and few of them (seeded)', () => {
  for (let seed = 0; seed < 300; seed++) {
    const random = randomStream(streamKey(5, seed));
    const capacity = 1 + random.below(600);
    const sizes = Array.from({ length: random.below(200) }, () => 1 + random.below(capacity));
    const packs = packBestFit(sizes, capacity);
    const room = packs.map((pack) => capacity - pack.reduce((sum, index) => sum + (sizes[index] ?? 0), 0));
    expect(packs.flat().sort((a, b) => a - b)).toEqual(sizes.map((_, index) => index));
    expect(Math.min(...room, 0)).toBe(0);
    // Any two packs together hold more than one pack could: otherwise the later would have gone into the earlier.
    const [a = 0, b = 0] = room.sort((left, right) => right - left);
    if (packs.length > 1) expect(a + b).toBeLessThan(capacity);
  }
});

test('as few packs as best fit makes, and as even as they come (seeded)', () => {
  expect(packEvenly(Array(16).fill(70), 512).map((pack) => pack.length)).toEqual([6, 6, 4]);
  const largest = (packs: number[][], sizes: number[]): number =>
    Math.max(0, ...packs.map((pack) => pack.reduce((sum, index) => sum + (sizes[index] ?? 0), 0)));
  let evened = 0;
  for (let seed = 0; seed < 300; seed++) {
    const random = randomStream(streamKey(7, seed));
    const capacity = 1 + random.below(600);
    const sizes = Array.from({ length: random.below(60) }, () => 1 + random.below(Math.ceil(capacity / 3)));
    const [plain, even] = [packBestFit(sizes, capacity), packEvenly(sizes, capacity)];
    expect(even.length).toBeLessThanOrEqual(plain.length);
    expect(even.flat().toSorted((a, b) => a - b)).toEqual(sizes.map((_, index) => index));
    expect(largest(even, sizes)).toBeLessThanOrEqual(largest(plain, sizes));
    if (largest(even, sizes) < largest(plain, sizes)) evened++;
  }
  expect(evened).toBeGreaterThan(50);
});

test('every way of packing holds each row once, within capacity, however many there are (seeded)', () => {
  for (const packing of ['best-fit', 'sequential', 'none'] as const)
    for (const count of [0, 1, 50, 2 ** 16 + 500]) {
      const random = randomStream(streamKey(6, count));
      const sizes = Array.from({ length: count }, () => 1 + random.below(130));
      const packs = packRows(sizes, { capacity: 100, packing });
      const order = packs.flat();
      expect(order.toSorted((a, b) => a - b)).toEqual(sizes.map((_, index) => index));
      const over = packs.filter(
        (pack) => pack.length > 1 && pack.reduce((sum, index) => sum + (sizes[index] ?? 0), 0) > 100,
      );
      expect(over).toEqual([]);
      // In their order, rows stand as they came; with none, alone.
      if (packing !== 'best-fit') expect(order).toEqual(order.toSorted((a, b) => a - b));
      if (packing === 'none') expect(packs).toHaveLength(count);
    }
});

test('a hundred thousand items are packed almost without waste', () => {
  const random = randomStream(3);
  const sizes = Array.from({ length: 100_000 }, () => 1 + random.below(2048));
  const packs = packBestFit(sizes, 2048);
  const fewest = sizes.reduce((sum, size) => sum + size, 0) / 2048;
  expect(packs.length).toBeLessThan(fewest * 1.01);
});
