import { expect, test } from 'vitest';
import { formatBytes, formatCounted, formatDuration, gibAbove } from './units.ts';

test('no unit is ever full: what rounds up to one of the next is written as that', () => {
  const written = [999, 9_940, 9_960, 59_600, 119_700, 3_599_600, 5_400_000].map(formatDuration);
  expect(written).toEqual(['999 ms', '9.9 s', '10 s', '1 min 0 s', '2 min 0 s', '1 h 0 min', '1 h 30 min']);
});

test('one of a thing is singular', () => {
  expect([0, 1, 1234].map((count) => formatCounted(count, 'step'))).toEqual(['0 steps', '1 step', '1,234 steps']);
});

test('bytes keep two or three digits', () => {
  expect([512, 1536, 20 * 2 ** 20, 300 * 2 ** 30].map(formatBytes)).toEqual([
    '512 B',
    '1.50 KiB',
    '20.0 MiB',
    '300 GiB',
  ]);
});

test('a number of GiB is enough, and no more than a hundredth too much', () => {
  for (const bytes of [1, 16_000, 123_456_789, 2 ** 30, 999.6 * 2 ** 30, 5 * 2 ** 40]) {
    const written = gibAbove(bytes) * 2 ** 30;
    expect(written).toBeGreaterThanOrEqual(bytes);
    expect(written / bytes).toBeLessThanOrEqual(1.01);
  }
  expect([16_000, 2 ** 29].map(gibAbove)).toEqual([0.000015, 0.5]);
});
