import { expect, test } from 'vitest';
import { checkReading, checkRoundTrip } from './row-properties.ts';

const many = { seed: 20261124, rows: 400 };

test('any object becomes a sample that keeps to its schema, or is told why not', () => {
  const { kept, refused } = checkReading(many);
  // Rows that are all refused, or all kept, test nothing.
  expect(kept).toBeGreaterThan(100);
  expect(refused).toBeGreaterThan(100);
});

test('a sample written as a row of messages is read as the same sample', () => {
  expect(checkRoundTrip(many)).toBeGreaterThan(80);
});
