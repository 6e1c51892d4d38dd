import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  datasetFilesIn,
  streamedBuildInterrupted,
  streamedBuildMs,
  writeStreamedSources,
} from '../support/streamed-build.ts';

let scratch = '';
let recipe = '';
let withinMs = 0;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'martlet-streamed-build-'));
  // Enough for a dozen batches.
  recipe = await writeStreamedSources(join(scratch, 'rows'), 16_000);
  withinMs = await streamedBuildMs(recipe, join(scratch, 'whole'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

test('killed with SIGKILL at random moments, a streamed data build goes on and gives the same bytes', async () => {
  const expected = await datasetFilesIn(join(scratch, 'whole'));
  let withJournal = 0;
  for (const seed of [1, 2, 3]) {
    const store = join(scratch, `killed-${seed}`);
    withJournal += (await streamedBuildInterrupted(recipe, { store, seed, withinMs, times: 3 })).withJournal;
    expect(await datasetFilesIn(store)).toEqual(expected);
    expect(await readdir(join(store, 'work'))).toEqual([]);
    expect(await readdir(join(store, 'datasets'))).toEqual(['tiny@1']);
  }
  expect(withJournal).toBeGreaterThan(0);
});
