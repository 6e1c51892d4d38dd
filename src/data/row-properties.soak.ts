import { expect, test } from 'vitest';
import { checkReading, checkRoundTrip } from './row-properties.ts';

const many = { seed: 1, rows: 100_000 };

test('200,000 objects become samples, or are told why not', () => {
  expect(checkReading(many).kept).toBeGreaterThan(25_000);
});

test('samples of 200,000 objects read back the same', () => {
  expect(checkRoundTrip(many)).toBeGreaterThan(20_000);
});
