import { afterAll, expect, test } from 'vitest';
import { fuzzReaders } from './fuzz-readers.ts';
import { testFolder } from './test-rows.ts';

const files = testFolder();
afterAll(() => files.remove());

test('mutated files give samples, reasons or errors of ours, and nothing else', async () => {
  const seen = await fuzzReaders({ folder: files.folder, seed: 20261123, count: 200 });
  // A fuzzer whose mutants are all refused, or all accepted, tests nothing.
  expect(seen.train).toBeGreaterThan(30);
  expect(seen.invalid).toBeGreaterThan(30);
  expect(seen.duplicate).toBeGreaterThan(3);
});
