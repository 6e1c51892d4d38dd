import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { startMartlet, writeTinyRecipe } from '../support/tiny-recipe.ts';

let folder = '';
afterAll(() => rm(folder, { recursive: true }));

test('a run is measured and exported in another way without being trained again', async () => {
  folder = await mkdtemp(join(tmpdir(), 'martlet-measured-'));
  const recipe = await writeTinyRecipe(folder, { train: '{ maxSteps: 2, rowsPerStep: 4 }' });
  const store = join(folder, 'store');
  const martlet = async (...args: string[]) => {
    const { code, err } = await startMartlet(['--store', store, ...args]).ended;
    expect(code, err).toBe(0);
    return err;
  };
  const set = (value: string): string[] => ['--set', value];
  const eval_ = ['eval', recipe, ...set('eval.tasks=[exact-match]'), ...set('eval.maxTokens=4')];
  const export_ = ['export', recipe, ...set('export.formats=[adapter]')];
  expect(await martlet(...eval_, ...set('eval.rows=1'))).toContain('Training: 2 steps');
  const again = await martlet(...eval_, ...set('eval.rows=2'));
  expect(again).toMatch(/plan +tiny@2 (.|\n)*run +tiny@1 .*made before(.|\n)*report +tiny@2 /);
  expect(await martlet(...export_)).not.toContain('Training');
  expect(await martlet(...export_, ...set('export.tolerance=0.5'))).toMatch(
    /run +tiny@1 .*made before(.|\n)*model +tiny@2 /,
  );
  expect(await readdir(join(store, 'runs'))).toEqual(['tiny@1']);
  await martlet('audit', 'verify', '--artefacts');
  // Another way to train is another run.
  expect(await martlet('train', recipe, ...set('train.seed=7'))).toContain('Training: 2 steps');
  expect((await readdir(join(store, 'runs'))).sort()).toEqual(['tiny@1', 'tiny@2']);
});
