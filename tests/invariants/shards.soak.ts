import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { shardFilesIn, shardInterrupted, writeManyRows } from '../support/shard-runs.ts';
import { startMartlet } from '../support/tiny-recipe.ts';

const rounds = 30;

test.each([
  ['kept', []],
  ['streamed', ['--set', 'execution.diskGiB=1']],
] as const)('shards that are %s, killed at random moments again and again, are the same bytes', async (_, flags) => {
  const scratch = await mkdtemp(join(tmpdir(), 'martlet-shards-'));
  try {
    const recipes = await writeManyRows(join(scratch, 'rows'), {
      recipes: { all: ['a', 'b', 'c'] },
      rowsPerSource: 12_000,
    });
    const recipe = recipes.all ?? '';
    const from = join(scratch, 'data');
    const data = await startMartlet(['--store', from, 'data', 'build', recipe]).ended;
    expect(data.code, data.err).toBe(0);
    const whole = join(scratch, 'whole');
    const began = performance.now();
    expect(await shardInterrupted({ recipe, from, store: whole, seed: 0, withinMs: 0, times: 0, flags })).toBe(0);
    const withinMs = performance.now() - began;
    const expected = await shardFilesIn(whole);
    let killed = 0;
    for (let round = 1; round <= rounds; round++) {
      const store = join(scratch, `round-${round}`);
      killed += await shardInterrupted({ recipe, from, store, seed: round, withinMs, times: 6, flags });
      expect(await shardFilesIn(store)).toEqual(expected);
      await rm(store, { recursive: true });
    }
    expect(killed).toBeGreaterThan(rounds);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
});
