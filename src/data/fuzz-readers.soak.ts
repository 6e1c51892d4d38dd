import { afterAll, expect, test } from 'vitest';
import { fuzzReaders } from './fuzz-readers.ts';
import { testFolder } from './test-rows.ts';

const files = testFolder();
afterAll(() => files.remove());

test('100,000 mutated files', async () => {
  const seen = await fuzzReaders({ folder: files.folder, seed: 1, count: 100_000 });
  expect(seen.train).toBeGreaterThan(10_000);
  expect(seen.invalid).toBeGreaterThan(10_000);
});
