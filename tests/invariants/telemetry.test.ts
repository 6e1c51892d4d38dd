import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { martletHome } from '../../src/envs/index.ts';
import { startMartlet, writeTinyRecipe } from '../support/tiny-recipe.ts';

test('the runtime keeps no identity of the machine and no events to send', async () => {
  const scratch = await mkdtemp(join(tmpdir(), 'martlet-telemetry-'));
  try {
    const recipe = await writeTinyRecipe(join(scratch, 'rows'), { train: '{ maxSteps: 2, rowsPerStep: 2 }' });
    // Where CI is set the runtime sends nothing by itself.
    const env = {
      HOME: scratch,
      XDG_CACHE_HOME: join(scratch, 'cache'),
      CI: '',
      MARTLET_HOME: martletHome(process.env),
    };
    const run = await startMartlet(['--store', join(scratch, 'store'), 'train', recipe], { env }).ended;
    expect(run.code, run.err).toBe(0);
    const cached = existsSync(env.XDG_CACHE_HOME) ? await readdir(env.XDG_CACHE_HOME) : [];
    expect(cached).toEqual([]);
    expect((await readdir(scratch)).sort()).toEqual(['rows', 'store']);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
});
