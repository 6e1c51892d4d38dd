import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { RecipeInput } from '../../src/schema/recipe.ts';
import { checkExport, runMartlet } from '../support/check-export.ts';
import { writeScratchRecipe } from '../support/scratch-recipe.ts';
import { requireSmolLm2 } from '../support/smollm2.ts';

// What tests/e2e/export.test.ts shows on a tiny model, on one of 135 million weights. Takes some 5 GB of disk meanwhile.
const cases: Record<string, Partial<Omit<RecipeInput, 'base'>>> = {
  'LoRA, two steps': { train: { maxSteps: 2, rowsPerStep: 4, learningRate: 1e-3, warmup: 0 } },
  'full fine-tune, one step': {
    adapter: { kind: 'full' },
    train: { maxSteps: 1, rowsPerStep: 4, learningRate: 1e-5, warmup: 0 },
    export: { formats: ['safetensors', 'gguf'], certifyRows: 3 },
  },
};

for (const [name, recipe] of Object.entries(cases))
  test(`SmolLM2 is exported as it was trained: ${name}`, async (context) => {
    const folder = await mkdtemp(join(tmpdir(), 'martlet-export-'));
    try {
      const { folder: base } = await requireSmolLm2(context);
      await writeScratchRecipe(folder, { base, ...recipe });
      const place = { cwd: folder, store: join(folder, 'store') };
      const { stdout } = await runMartlet(['export', 'recipe.yaml', '--json'], place);
      const made = JSON.parse(stdout) as { model: { folder: string } };
      const figures = await checkExport({ folder: made.model.folder, scratch: folder });
      process.stderr.write(`${name}: ${JSON.stringify(figures)}\n`);
      expect(figures.learned).toBeGreaterThan(1e-3);
      expect(figures.transformers ?? 0).toBeLessThan(1e-4);
      expect(figures.llamaCpp).toBeLessThan(1e-4);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
