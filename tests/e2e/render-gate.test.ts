import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startMartlet, writeTinyRecipe } from '../support/tiny-recipe.ts';

let scratch = '';
let recipe = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'martlet-gate-'));
  recipe = await writeTinyRecipe(scratch, { train: '{ maxSteps: 1, rowsPerStep: 4 }' });
  // It writes the header of an answer itself and offers no prompt: serving would never see what training saw.
  await writeFile(
    join(scratch, 'shy.jinja'),
    '{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}',
  );
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

test('training refuses before its first step when the tokens are not those of serving', async () => {
  const store = join(scratch, 'store');
  const run = startMartlet(['--store', store, 'train', recipe, '--set', 'render.template=shy.jinja']);
  const { code, err } = await run.ended;
  expect(code).not.toBe(0);
  expect(err).toContain('[render-gate]');
  expect(err).toMatch(/error \(a\) .*rows\.jsonl:\d+ messages\[1\]: .*\[prompt-differs\]/);
  expect(existsSync(join(store, 'runs'))).toBe(false);
});
