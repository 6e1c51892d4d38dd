import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { fuzzContainers } from './fuzz-containers.ts';

const folder = mkdtempSync(join(tmpdir(), 'martlet-fuzz-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('100,000 mutated files of every container', async () => {
  const seen = await fuzzContainers({ folder, seed: 2, count: 100_000 });
  expect(seen.rows).toBeGreaterThan(20_000);
  expect(seen['parquet-damaged']).toBeGreaterThan(10_000);
});
