import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { flopsPerToken, readRecipe, resolvePlan } from '../recipe/index.ts';
import { openStore } from '../store/open-store.ts';
import { writeTinyModel } from '../testing/tiny-model.ts';
import { measuredThroughput } from './measured-throughput.ts';
import { modelFacts } from './plan-facts.ts';

const key = '0'.repeat(64);

async function storeWithRun(steps: readonly { tokens: number; seconds: number }[]) {
  const folder = mkdtempSync(join(tmpdir(), 'throughput-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const base = join(folder, 'tiny');
  await writeTinyModel(base, { seed: 1 });
  const read = readRecipe({ text: `name: a\nbase: ${base}\ndata: {sources: [{from: x}]}`, file: 'r', flags: [] });
  if (!read.ok) throw new Error('the recipe is not sound');
  const plan = resolvePlan({ ...read.value, facts: {}, resolvePath: (path) => path });
  if (!plan.ok) throw new Error('the plan is not sound');

  const code = { version: '0', revision: null };
  const store = await openStore({
    root: join(folder, 'store'),
    clock: () => new Date(0),
    who: 'test',
    code,
    machine: 'here',
  });
  const planned = await store.create({ kind: 'plan', name: 'a', key, inputs: [] }, async (into) => {
    await writeFile(join(into, 'plan.json'), JSON.stringify(plan.value));
    return {};
  });
  await store.create({ kind: 'run', name: 'a', key, inputs: [] }, async (into) => {
    await mkdir(into, { recursive: true });
    const run = {
      schema: 'run/1',
      planHash: plan.value.hash,
      base,
      baseFingerprint: key,
      shards: 'a@1',
      plan: planned.address,
    };
    await writeFile(join(into, 'run.json'), JSON.stringify(run));
    await writeFile(join(into, 'events.jsonl'), steps.map((step, index) => eventLine(index, step)).join(''));
    return {};
  });
  return { store, model: await modelFacts(base), adapter: plan.value.values.adapter };
}

function eventLine(step: number, { tokens, seconds }: { tokens: number; seconds: number }): string {
  const event = { type: 'step-end', sequence: step, at: '2026-01-01T00:00:00Z', step, loss: 1, learningRate: 1e-4 };
  const counts = { gradientNorm: 1, tokens, learnedTokens: tokens / 4, rows: 4, seconds, memoryGiB: 1, metrics: {} };
  return `${JSON.stringify({ ...event, ...counts })}\n`;
}

test('throughput is the work of the steady steps over their time', async () => {
  const steady = { tokens: 400, seconds: 2 };
  const { store, model, adapter } = await storeWithRun([{ tokens: 400, seconds: 60 }, steady, steady, steady]);
  const measured = await measuredThroughput(store, 'here');
  expect(measured?.flopsPerSecond).toBeCloseTo(
    200 * flopsPerToken({ model, adapter, learnedShare: 0.25, saves: false }),
    3,
  );
});

test('of a plan of another version only what is weighed must be known, and what is not is no failure', async () => {
  const steady = { tokens: 400, seconds: 2 };
  const { store } = await storeWithRun([steady, steady, steady, steady]);
  const file = join(store.folder('plan', 'a@1'), 'plan.json');
  const plan = JSON.parse(await readFile(file, 'utf8'));
  const written = (values: object) => writeFile(file, JSON.stringify({ ...plan, schema: 'plan/9', values }));
  await written({ ...plan.values, of: 'another version' });
  expect(await measuredThroughput(store, 'here')).toMatchObject({ from: 'run a@1' });
  await written({ ...plan.values, adapter: { kind: 'of another version' } });
  expect(await measuredThroughput(store, 'here')).toBeUndefined();
});

test('a run elsewhere, or one too short to be steady, says nothing', async () => {
  const { store } = await storeWithRun([
    { tokens: 400, seconds: 60 },
    { tokens: 400, seconds: 2 },
  ]);
  expect(await measuredThroughput(store, 'here')).toBeUndefined();
  expect(await measuredThroughput(store, 'elsewhere')).toBeUndefined();
});
