import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  courseMs,
  expectSameRun,
  type FinishedRun,
  finishedRun,
  momentsOf,
  trainInterrupted,
} from '../support/interrupted-run.ts';
import { interruptedAt, startMartlet, writeTinyRecipe } from '../support/tiny-recipe.ts';

const steps = 30;
let scratch = '';
let recipe = '';
let undisturbed: FinishedRun;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'martlet-resume-'));
  recipe = await writeTinyRecipe(scratch, {
    train: `{ epochs: 8, rowsPerStep: 8, maxSteps: ${steps}, checkpointEvery: 3, evalEvery: 7, learningRate: 1e-2 }`,
  });
  const whole = await startMartlet(['--store', join(scratch, 'whole'), 'train', recipe]).ended;
  expect(whole.code, whole.err).toBe(0);
  undisturbed = await finishedRun(join(scratch, 'whole'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

test('the course is worth comparing', async () => {
  expect(undisturbed.steps.map(({ step }) => step)).toEqual(Array.from({ length: steps }, (_, index) => index + 1));
  expect(undisturbed.steps.at(-1)?.loss).toBeLessThan((undisturbed.steps[0]?.loss ?? 0) / 2);
  expect((await momentsOf(join(scratch, 'whole'), steps)).subarray(-4000).some((byte) => byte !== 0)).toBe(true);
});

test('streamed in small windows and killed at random moments, it ends with the bytes of shards that are kept', async () => {
  const store = join(scratch, 'streamed');
  const ended = await trainInterrupted({
    recipe,
    store,
    seed: 12,
    times: 3,
    ways: ['kill', 'kill-engine', 'kill-both', 'interrupt'],
    withinMs: 0.6 * courseMs(undisturbed),
    // Windows of three steps: two of them, and what each takes beside its tokens.
    flags: ['--set', 'execution.diskGiB=0.00032'],
  });
  expect(ended).toBeGreaterThan(0);
  expect((await stat(join(store, 'shards/tiny@1/train.ids.u32'))).size).toBe(0);
  const run = await finishedRun(store);
  expectSameRun(run, undisturbed);
  for (const { step, rows, tokens } of run.steps.filter(({ step }) => step % 10 === 0)) {
    const traced = await startMartlet(['--store', store, 'trace', 'tiny@1', '--step', String(step), '--json']).ended;
    expect(traced.code, traced.out).toBe(0);
    const found = JSON.parse(traced.out);
    expect(found).toMatchObject({ problems: [], event: { step, rows, tokens } });
    expect(found.rows).toHaveLength(rows);
    expect(found.rows.every(({ ok }: { ok: boolean }) => ok)).toBe(true);
  }
});

test('killed with SIGKILL at random moments, it ends with the same bytes', async () => {
  const store = join(scratch, 'killed');
  const kills = await trainInterrupted({
    recipe,
    store,
    seed: 5,
    times: 4,
    ways: ['kill', 'kill-engine', 'kill-both'],
    withinMs: 0.4 * courseMs(undisturbed),
  });
  expect(kills).toBeGreaterThan(1);
  expectSameRun(await finishedRun(store), undisturbed);
});

test('interrupted with SIGINT, it saves a checkpoint where it is, and ends with the same bytes', async () => {
  const store = join(scratch, 'interrupted');
  // It interrupts itself where it stands: between two checkpoints, before the first, and right behind one.
  for (const at of ['Training', 'after step 7', 'saved checkpoints/step-000015']) {
    const { code, err } = await startMartlet(['--store', store, 'train', recipe], { env: interruptedAt(at) }).ended;
    expect(code, err).not.toBe(0);
    expect(err).toContain('[stopped]');
  }
  const last = await startMartlet(['--store', store, 'train', recipe]).ended;
  expect(last.code, last.err).toBe(0);
  const run = await finishedRun(store);
  const stops = run.events.filter((event) => event.type === 'run-end' && event.reason === 'stopped');
  expect(stops).toHaveLength(3);
  for (const stop of stops) {
    const place = run.events.indexOf(stop);
    const resumed = run.events.slice(place).find(({ type }) => type === 'run-start');
    // No step is computed twice.
    expect(resumed).toMatchObject({ step: stop.step });
  }
  expectSameRun(run, undisturbed);
});
