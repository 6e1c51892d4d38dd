import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CliContext } from '../../src/cli/context.ts';
import { processContext } from '../../src/cli/process-context.ts';
import { verifyResume } from '../../src/cli/verify-resume.ts';
import type { TrainEngine } from '../../src/spec/train-engine.ts';
import { startMartlet, writeTinyRecipe } from '../support/tiny-recipe.ts';

let scratch = '';
let recipe = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'martlet-verify-test-'));
  recipe = await writeTinyRecipe(scratch, { train: '{ rowsPerStep: 4, epochs: 1, learningRate: 1e-2 }' });
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

test('martlet verify resume shows what was compared, and leaves the store alone', async () => {
  const store = join(scratch, 'store');
  const { code, out, err } = await startMartlet(['--store', store, 'verify', 'resume', recipe, '--steps', '4']).ended;
  expect(code, err).toBe(0);
  expect(out).toMatch(/^4 steps; stopped after step 1, engine killed during step 4\n/);
  expect(out).toMatch(/^same {5}resumed after .* checkpoints\/step-000001, checkpoints\/step-000002$/m);
  expect(out).toMatch(/^same {5}step-000004\/adapter_model\.safetensors/m);
  expect(out).toMatch(/^same {5}step-000004\/optimizer\.safetensors/m);
  expect(out).toMatch(/every byte is equal\n$/);
  await expect(readdir(store)).rejects.toMatchObject({ code: 'ENOENT' });
});

test.each([
  ['two steps, where the stop comes between the checkpoints', 2, 'train.keepCheckpoints=2'],
  ['runs that keep more checkpoints than they make', 4, 'train.keepCheckpoints=9'],
])('a checkpoint that only the stop made is no difference: %s', async (_, steps, keep) => {
  const asked = ['verify', 'resume', recipe, '--steps', `${steps}`, '--set', keep];
  const { code, out, err } = await startMartlet(asked).ended;
  expect(code, out + err).toBe(0);
  expect(out).toMatch(/^same {5}step-00000\d\/adapter_model\.safetensors/m);
  expect(out).not.toMatch(/^\w+ +step-000001\//m);
  expect(out).not.toContain('missing');
});

test('it says when the recipe has fewer steps than were asked for', async () => {
  const asked = ['verify', 'resume', recipe, '--steps', '9', '--set', 'train.rowsPerStep=24'];
  const { code, out, err } = await startMartlet(asked).ended;
  expect(code, out + err).toBe(0);
  expect(err).toMatch(/comes to \d steps, fewer than the 9 of --steps/);
});

/** An engine that forgets its optimiser: a resumed session starts with one that has not seen the steps before. */
const forgetful = (engine: TrainEngine): TrainEngine => ({
  ...engine,
  async start(options) {
    const session = await engine.start(options);
    return {
      ...session,
      async load(request) {
        if (!request.checkpointFolder) return session.load(request);
        const checkpointFolder = await mkdtemp(join(scratch, 'forgetful-'));
        await cp(request.checkpointFolder, checkpointFolder, { recursive: true });
        const file = join(checkpointFolder, 'optimizer.safetensors');
        const bytes = await readFile(file);
        // Behind the header, whose length comes first, stand the moments.
        await writeFile(file, bytes.fill(0, 8 + Number(bytes.readBigUInt64LE(0))));
        return session.load({ ...request, checkpointFolder });
      },
    };
  },
});

test('an engine that loses something on the way is found out', async () => {
  const context: CliContext = { ...processContext(), cwd: scratch, out: () => {}, err: () => {} };
  const verdict = await verifyResume(context, {
    file: recipe,
    flags: [],
    steps: 3,
    say: () => {},
    wrapEngine: forgetful,
  });
  expect(verdict.ok).toBe(false);
  const differing = verdict.compared.filter(({ equal }) => !equal).map(({ what }) => what);
  expect(differing).toContain('step-000003/optimizer.safetensors');
  expect(differing).toContain('step-000003/adapter_model.safetensors');
  expect(verdict.compared.at(-1)).toMatchObject({
    equal: false,
    detail: expect.stringMatching(/of step 3: undisturbed \S+, resumed /),
  });
});

test('a recipe of one step has no middle', async () => {
  const { code, err } = await startMartlet(['verify', 'resume', recipe, '--set', 'train.rowsPerStep=48']).ended;
  expect(code).toBe(1);
  expect(err).toContain('[verify-too-short]');
});
