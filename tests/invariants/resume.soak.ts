import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { courseMs, expectSameRun, finishedRun, trainInterrupted } from '../support/interrupted-run.ts';
import { startMartlet, writeTinyRecipe } from '../support/tiny-recipe.ts';

const rounds = 25;
const recipes = {
  'LoRA with dropout': { adapter: '{ kind: lora, rank: 4, dropout: 0.2 }', learningRate: '1e-2' },
  'full fine-tuning': { adapter: '{ kind: full }', learningRate: '1e-3' },
};

for (const [name, { adapter, learningRate }] of Object.entries(recipes))
  test(`${name}: ended in every way at random moments, again and again, it ends with the same bytes`, async () => {
    const scratch = await mkdtemp(join(tmpdir(), 'martlet-resume-'));
    try {
      const recipe = await writeTinyRecipe(scratch, {
        adapter,
        train: `{ epochs: 20, rowsPerStep: 8, maxSteps: 90, checkpointEvery: 4, evalEvery: 9, learningRate: ${learningRate} }`,
      });
      const whole = await startMartlet(['--store', join(scratch, 'whole'), 'train', recipe]).ended;
      expect(whole.code, whole.err).toBe(0);
      const undisturbed = await finishedRun(join(scratch, 'whole'));
      let ended = 0;
      for (let round = 0; round < rounds; round++) {
        const store = join(scratch, `round-${round}`);
        ended += await trainInterrupted({
          recipe,
          store,
          seed: 1000 + round,
          times: 12,
          ways: ['kill', 'kill-engine', 'kill-both', 'interrupt'],
          withinMs: 0.3 * courseMs(undisturbed),
        });
        expectSameRun(await finishedRun(store), undisturbed);
        await rm(store, { recursive: true });
      }
      expect(ended).toBeGreaterThan(3 * rounds);
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  });
