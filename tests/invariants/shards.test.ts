import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openShards } from '../../src/store/shards/shard-reader.ts';
import { shardFilesIn, shardInterrupted, writeManyRows } from '../support/shard-runs.ts';
import { startMartlet } from '../support/tiny-recipe.ts';

let scratch = '';
let recipes: Record<string, string> = {};
let wholeMs = 0;
const whole = (): string => join(scratch, 'whole');

async function shard(store: string, recipe: string, ...sets: readonly string[]): Promise<void> {
  const flags = sets.flatMap((set) => ['--set', set]);
  const run = await startMartlet(['--store', store, 'shard', recipes[recipe] ?? '', ...flags]).ended;
  expect(run.code, run.err).toBe(0);
}

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'martlet-shards-'));
  // Enough for several blocks, so that more than one thread has work and a killed build something to go on from.
  recipes = await writeManyRows(join(scratch, 'rows'), {
    recipes: { 'a-b-c': ['a', 'b', 'c'], 'c-a-b': ['c', 'a', 'b'] },
    rowsPerSource: 4000,
  });
  const data = await startMartlet(['--store', join(scratch, 'data'), 'data', 'build', recipes['a-b-c'] ?? '']).ended;
  expect(data.code, data.err).toBe(0);
  const began = performance.now();
  await shard(whole(), 'a-b-c', 'execution.threads=2');
  wholeMs = performance.now() - began;
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

/** What each step computes, in order: which row, and its tokens. */
async function stepsIn(store: string): Promise<readonly unknown[]> {
  using reader = await openShards(join(store, 'shards/tiny@1'));
  return Array.from({ length: reader.stepCount('train') }, (_, step) =>
    reader.packsOf('train', step).map(({ documents }) =>
      documents.map(({ index, ids, weights }) => {
        const { id } = reader.rowOf('train', index);
        return [id, Buffer.from(ids).toString('hex'), Buffer.from(weights.map((weight) => weight * 4)).toString('hex')];
      }),
    ),
  );
}

test('shards are the same bytes with one thread as with two', async () => {
  const store = join(scratch, 'one-thread');
  await shard(store, 'a-b-c', 'execution.threads=1');
  expect(await shardFilesIn(store)).toEqual(await shardFilesIn(whole()));
});

test('sources in another order change no step: same rows, same packs, same tokens', async () => {
  const store = join(scratch, 'other-order');
  await shard(store, 'c-a-b', 'execution.threads=1');
  const steps = await stepsIn(whole());
  expect(steps.length).toBeGreaterThan(600);
  expect(await stepsIn(store)).toEqual(steps);
  expect((await shardFilesIn(store))['train.ids.u32']).not.toBe((await shardFilesIn(whole()))['train.ids.u32']);
});

test('killed with SIGKILL at random moments, martlet shard goes on and gives the same bytes', async () => {
  const expected = await shardFilesIn(whole());
  let killed = 0;
  for (const seed of [1, 2]) {
    const store = join(scratch, `killed-${seed}`);
    killed += await shardInterrupted({
      recipe: recipes['a-b-c'] ?? '',
      from: join(scratch, 'data'),
      store,
      seed,
      withinMs: wholeMs,
      times: 3,
    });
    expect(await shardFilesIn(store)).toEqual(expected);
    expect(await readdir(join(store, 'work'))).toEqual([]);
    expect(await readdir(join(store, 'shards'))).toEqual(['tiny@1']);
  }
  expect(killed).toBeGreaterThan(0);
});
