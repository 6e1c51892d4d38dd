import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fingerprintText } from '../../src/core/fingerprint.ts';
import { martletHome } from '../../src/envs/home.ts';
import { startServing } from '../../src/pipeline.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { Trace } from '../../src/store/trace/trace.ts';
import { writeTinyModel } from '../../src/testing/tiny-model.ts';
import { type DatasetHub, serveDataset } from '../support/dataset-hub.ts';
import { watchDisk } from '../support/disk-watch.ts';
import { expectSameRun, expectSameWithin, type FinishedRun, finishedRun } from '../support/interrupted-run.ts';
import { corpusFolders, martlet, type Place, recipeText, rowsOf, stepsIn } from '../support/streaming.ts';
import { startMartlet } from '../support/tiny-recipe.ts';

let scratch = '';
let recipe = '';
let hub: DatasetHub;
let kept: FinishedRun;
const keptStore = (): string => join(scratch, 'kept');

/** Fourteen files, of which the hub keeps one by git's hash and one is packed. */
const files = new Map<string, Buffer>(
  Array.from({ length: 14 }, (_, part) => {
    const rows = Buffer.from(rowsOf(40 + part, 150));
    return part === 3
      ? [`data/train-big-${part}.jsonl.gz`, gzipSync(rows)]
      : [`data/train-${part === 5 ? 'small' : 'big'}-${part}.jsonl`, rows];
  }),
);
const hubBytes = [...files.values()].reduce((sum, { length }) => sum + length, 0);
const largest = Math.max(...[...files.values()].map(({ length }) => length));

/** What is fetched and remembered goes to folders of its own; the engine's runtime stays where it is. */
async function placeOf(name: string): Promise<Place & { readonly env: Readonly<Record<string, string>> }> {
  const home = join(scratch, `${name}-home`);
  const runtime = join(martletHome(process.env), 'onnxruntime');
  await mkdir(runtime, { recursive: true });
  await mkdir(home, { recursive: true });
  await symlink(runtime, join(home, 'onnxruntime')).catch(() => undefined);
  return {
    store: join(scratch, name),
    env: { HF_ENDPOINT: hub.url, HF_HOME: join(scratch, `${name}-hf`), MARTLET_HOME: home },
  };
}

const fetchedFolders = (name: string): string[] => [
  join(scratch, `${name}-hf`),
  join(scratch, `${name}-home`, 'datasets'),
];

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'martlet-streaming-hub-'));
  await writeTinyModel(join(scratch, 'model'), { seed: 1, headDim: 16 });
  hub = await serveDataset(files);
  recipe = join(scratch, 'recipe.yaml');
  await writeFile(recipe, recipeText('{ from: hf:org/rows }'));
  await martlet(await placeOf('kept'), 'train', recipe);
  kept = await finishedRun(keptStore());
});
afterAll(async () => {
  await hub[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true, force: true });
});

const diskBytes = 2_200_000;
const streaming = ['--set', `execution.diskGiB=${diskBytes / 2 ** 30}`];

test('a data set of a hub is trained on with the same result, and never more of it stands on the disk than may', async () => {
  const place = await placeOf('streamed');
  const before = hub.sentBytes();
  const all = watchDisk([...corpusFolders(place.store), ...fetchedFolders('streamed')]);
  const fetched = watchDisk(fetchedFolders('streamed'));
  await martlet(place, 'train', recipe, ...streaming);
  all.stop();
  fetched.stop();
  expect(all.most()).toBeLessThanOrEqual(diskBytes);
  // Room for a quarter of the budget, and what is remembered of the data set.
  expect(fetched.most()).toBeLessThanOrEqual(diskBytes / 4 + 20_000);
  expect(fetched.most()).toBeGreaterThan(largest);
  expect(hubBytes).toBeGreaterThan(diskBytes / 4);
  // It was read for the dataset and again for each window: some files were fetched again, others stayed.
  expect(hub.sentBytes() - before).toBeGreaterThan(1.5 * hubBytes);
  expect(Math.min(...hub.asked.values())).toBeLessThan(Math.max(...hub.asked.values()));
  expect(await readdir(join(scratch, 'streamed-home/datasets/.lent'))).toEqual([]);

  expect(await stepsIn(place.store)).toEqual(await stepsIn(keptStore()));
  expectSameRun(await finishedRun(place.store), kept);
});

test('rows are answered for by fetching their files again', async () => {
  const place = await placeOf('streamed');
  const name = 'data/train-big-9.jsonl:120';
  const [story] = JSON.parse(await martlet(place, 'data', 'why', name, '--json'));
  const [keptStory] = JSON.parse(await martlet(await placeOf('kept'), 'data', 'why', name, '--json'));
  // They stand in caches of their own.
  const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value).replaceAll(/[a-z]+-hf\//g, ''));
  expect(plain(story)).toEqual(plain(keptStory));
  const traced = JSON.parse(await martlet(place, 'trace', 'tiny@1', '--step', '3', '--json'));
  expect(traced.problems).toEqual([]);
  expect(traced.rows.every(({ ok }: { ok: boolean }) => ok)).toBe(true);
  const tokens = await martlet(place, 'tokens', recipe, '--row', '160', '--json', ...streaming);
  expect(JSON.parse(tokens).ids.length).toBeGreaterThan(0);
  await martlet(place, 'audit', 'verify', '--artefacts');

  // Without the hub it is said in one line.
  const { env, store } = place;
  const alone = { env: { ...env, HF_HUB_OFFLINE: '1' } };
  const asked = await startMartlet(['--store', store, 'data', 'why', name], alone).ended;
  expect(asked.err).toMatch(/is not on this machine, and no hub is to be asked.*\[offline\]/s);
});

test('an answer leads to its rows, in files that were fetched and given back', async () => {
  const place = await placeOf('streamed');
  await martlet(place, 'export', recipe, ...streaming);
  const answer = await answerOf(place);
  const fetchedBefore = hub.sentBytes();
  const trace = JSON.parse(await martlet(place, 'trace', answer, '--rows', '40', '--json')) as Trace;
  expect(trace.hops.flatMap(({ problems }) => problems)).toEqual([]);
  expect(trace.complete).toBe(true);
  const { rows } = JSON.parse(await readFile(join(place.store, 'shards/tiny@1/shards.json'), 'utf8')).splits.train;
  expect(trace.rowCount).toBe(rows);
  // None of the files stands here: each was fetched for its rows, which are what they were.
  const there = trace.hops.filter(({ kind }) => kind === 'file');
  expect(there.map(({ address }) => address.split('/').slice(-2).join('/')).sort()).toEqual([...files.keys()].sort());
  for (const { address, facts } of there) {
    expect(existsSync(address)).toBe(false);
    expect(facts).toEqual({ checked: false });
  }
  expect(hub.sentBytes() - fetchedBefore).toBe(hubBytes);
  expect(await readdir(join(scratch, 'streamed-home/datasets/.lent'))).toEqual([]);
  expect(trace.rows).toHaveLength(40);
  for (const { file, line, sha256, ok, steps } of trace.rows) {
    const bytes = files.get(file.split('/').slice(-2).join('/'));
    const text = (file.endsWith('.gz') ? gunzipSync(bytes ?? '') : bytes)?.toString() ?? '';
    expect(fingerprintText(text.split('\n')[line - 1] ?? '')).toBe(sha256);
    expect(ok).toBe(true);
    expect(steps.length).toBeGreaterThan(0);
  }

  const { env, store } = place;
  const alone = { env: { ...env, HF_HUB_OFFLINE: '1' } };
  const cut = await startMartlet(['--store', store, 'trace', answer, '--json'], alone).ended;
  expect(cut.code).toBe(1);
  expect(JSON.parse(cut.out)).toMatchObject({ complete: false });
  expect(cut.out).toMatch(/no hub is to be asked/);
});

/** Asks the model that was exported. @returns the id of the answer */
async function answerOf({ store: root, env }: Awaited<ReturnType<typeof placeOf>>): Promise<string> {
  const clock = (): Date => new Date();
  const store = await openStore({ root, clock, who: 'tester' });
  const home = env.MARTLET_HOME ?? '';
  const log = (): void => undefined;
  const serving = { port: 0, slots: 1, home, env: { ...process.env, ...env }, clock, log };
  const served = await startServing({ store, models: ['tiny@1'], ...serving });
  try {
    const response = await fetch(`${served.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'tiny', messages: [{ role: 'user', content: 'w7' }], max_tokens: 8 }),
    });
    expect(response.status).toBe(200);
    return ((await response.json()) as { id: string }).id;
  } finally {
    await served.close();
  }
}

test('killed at random moments while files come and go, it ends with the same bytes', async () => {
  const { store, env } = await placeOf('killed');
  const folders = [...corpusFolders(store), ...fetchedFolders('killed')];
  await expectSameWithin({ recipe, store, env, seed: 5, flags: streaming }, { folders, diskBytes, kept });
});

test('a file that is larger than the budget is told before any is fetched', async () => {
  const { store, env } = await placeOf('small');
  const before = hub.sentBytes();
  const small = ['--set', `execution.diskGiB=${largest / 2 / 2 ** 30}`];
  const run = await startMartlet(['--store', store, 'data', 'build', recipe, ...small], { env }).ended;
  expect(run.code).not.toBe(0);
  expect(run.err).toMatch(/the largest file of each data set.*\[disk-budget\].*Raise execution\.diskGiB to [\d.]+/s);
  expect(hub.sentBytes()).toBe(before);
});
