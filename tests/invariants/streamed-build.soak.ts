import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  datasetFilesIn,
  streamedBuildInterrupted,
  streamedBuildMs,
  writeStreamedSources,
} from '../support/streamed-build.ts';

const rounds = 30;

test('a streamed data build, killed at random moments again and again, gives the same bytes', async () => {
  const scratch = await mkdtemp(join(tmpdir(), 'martlet-streamed-build-'));
  try {
    const recipe = await writeStreamedSources(join(scratch, 'rows'), 40_000);
    const withinMs = await streamedBuildMs(recipe, join(scratch, 'whole'));
    const expected = await datasetFilesIn(join(scratch, 'whole'));
    let withJournal = 0;
    for (let seed = 1; seed <= rounds; seed++) {
      const store = join(scratch, `round-${seed}`);
      withJournal += (await streamedBuildInterrupted(recipe, { store, seed, withinMs, times: 6 })).withJournal;
      expect(await datasetFilesIn(store)).toEqual(expected);
      await rm(store, { recursive: true });
    }
    expect(withJournal).toBeGreaterThan(rounds);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
});
