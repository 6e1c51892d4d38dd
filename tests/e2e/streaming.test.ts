import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { piecesIn, piecesOfKept } from '../../src/data/test-pieces.ts';
import { writeTinyModel } from '../../src/testing/tiny-model.ts';
import { bytesBelow, watchDisk } from '../support/disk-watch.ts';
import { expectSameRun, expectSameWithin, type FinishedRun, finishedRun } from '../support/interrupted-run.ts';
import { corpusFolders, martlet, recipeText, rowsOf, stepsIn } from '../support/streaming.ts';
import { startMartlet } from '../support/tiny-recipe.ts';

let scratch = '';
let recipe = '';
let kept: FinishedRun;
const keptStore = (): string => join(scratch, 'kept');

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'martlet-streaming-'));
  await writeTinyModel(join(scratch, 'model'), { seed: 1, headDim: 16 });
  await writeFile(join(scratch, 'packed.jsonl.gz'), gzipSync(rowsOf(1, 1200)));
  await mkdir(join(scratch, 'parts'));
  for (const part of [1, 2, 10]) await writeFile(join(scratch, `parts/part-${part}.jsonl`), rowsOf(part + 1, 300));
  recipe = join(scratch, 'recipe.yaml');
  await writeFile(recipe, recipeText('{ from: packed.jsonl.gz }, { from: parts }'));
  await martlet(keptStore(), 'train', recipe);
  kept = await finishedRun(keptStore());
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

const diskBytes = 1_600_000;
const streaming = ['--set', `execution.diskGiB=${diskBytes / 2 ** 30}`];

test('a packed corpus larger than its disk is trained on with the same rows, steps and weights', async () => {
  const store = join(scratch, 'streamed');
  const watch = watchDisk(corpusFolders(store));
  await martlet(store, 'train', recipe, ...streaming);
  watch.stop();
  expect(watch.most()).toBeLessThanOrEqual(diskBytes);
  // Else nothing would be shown: what is kept takes many times as much.
  expect(bytesBelow(corpusFolders(keptStore()))).toBeGreaterThan(4 * diskBytes);
  expect(await stepsIn(store)).toEqual(await stepsIn(keptStore()));
  expectSameRun(await finishedRun(store), kept);

  const dataset = (of: string, file: string): Promise<string> => readFile(join(of, 'datasets/tiny@1', file), 'utf8');
  expect(await dataset(store, 'dataset.json')).toBe(await dataset(keptStore(), 'dataset.json'));
  const [streamed, whole] = [store, keptStore()].map((of) => join(of, 'datasets/tiny@1'));
  expect(piecesIn(streamed ?? '')).toEqual(piecesOfKept(whole ?? '', streamed ?? ''));
});

test('what is asked of rows is answered as if they were kept', async () => {
  const store = join(scratch, 'streamed');
  const both = async (...args: string[]): Promise<unknown[]> =>
    (await Promise.all([store, keptStore()].map((of) => martlet(of, ...args)))).map((out) => JSON.parse(out));
  const [ledger, keptLedger] = await both('data', 'ledger', 'tiny', '--json');
  expect(ledger).toEqual(keptLedger);
  for (const place of ['packed.jsonl.gz:17', 'parts/part-10.jsonl:250']) {
    const [story, keptStory] = await both('data', 'why', place, '--json');
    expect(story).toEqual(keptStory);
    expect(story).toHaveLength(1);
  }
  for (const step of ['1', '24']) {
    const [traced, keptTraced] = await both('trace', 'tiny@1', '--step', step, '--json');
    expect(traced).toMatchObject({ problems: [] });
    const { event: _, ...rows } = traced as { event: unknown };
    expect(keptTraced).toMatchObject(rows);
  }
  await martlet(store, 'audit', 'verify', '--artefacts');
});

test('killed at random moments while it streams, it ends with the same bytes', async () => {
  const store = join(scratch, 'killed');
  const within = { folders: corpusFolders(store), diskBytes, kept };
  await expectSameWithin({ recipe, store, seed: 21, flags: streaming }, within);
  await expect(stat(join(store, 'runs/tiny@1/.windows'))).rejects.toThrow();
});

test('a budget that no step fits into is told when shards are made, with what would do', async () => {
  const store = join(scratch, 'small');
  const run = await startMartlet(['--store', store, 'shard', recipe, '--set', 'execution.diskGiB=0.0004']).ended;
  expect(run.code).not.toBe(0);
  const [, enough] = /Raise execution\.diskGiB to ([\d.]+)/.exec(run.err) ?? [];
  expect(run.err).toContain('[disk-budget]');
  await martlet(store, 'shard', recipe, '--set', `execution.diskGiB=${enough}`);
});
