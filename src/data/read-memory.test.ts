import { afterAll, expect, test } from 'vitest';
import { measureReading, writeChats } from './read-memory.ts';
import { testFolder } from './test-rows.ts';

const files = testFolder();
afterAll(files.remove);

test('memory does not grow with the size of a file', async () => {
  const [small, large] = ['small.jsonl.zst', 'large.jsonl.zst'].map((name) => `${files.folder}/${name}`) as [
    string,
    string,
  ];
  await writeChats(small, 1e6);
  await writeChats(large, 11e6);
  const [little, much] = [await measureReading(small), await measureReading(large)];
  expect(much.rows).toBeGreaterThan(little.rows * 8);
  expect(much.invalid).toBe(0);
  expect(much.peakBytes - little.peakBytes).toBeLessThan(90e6);
  // What is promised of a file of any size. Alone it takes 125 MB; beside much other work V8 collects later (331 MB seen).
  expect(much.peakBytes).toBeLessThan(600e6);
});
