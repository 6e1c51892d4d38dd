import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { randomStream, streamKey } from '../core/random.ts';
import type { Sample } from '../schema/sample.ts';
import type { Shards } from '../schema/shards.ts';
import { keptRows } from '../store/dataset/dataset-rows.ts';
import { openShards, type ShardReader } from '../store/shards/shard-reader.ts';
import { encodeBlock } from './encode-block.ts';
import { encodeSpelled, planValues, spelled, testShards } from './test-shards.ts';
import { type OpenWindowsRequest, openWindows } from './windows.ts';

const files = testShards();
afterAll(() => files.remove());

const values = planValues({ train: { epochs: 2, rowsPerStep: 5 }, budget: { dropped: 1 } });

/** Rows of 6 to 90 tokens, some held out, some lost, two answers each where the layout compares. */
function randomRows(seed: number, count: number): Sample[] {
  const random = randomStream(streamKey(11, seed));
  const words = (most: number): string =>
    Array.from({ length: 2 + random.below(most) }, () => `${['', '*', '~'][random.below(3)]}${random.below(900)}`).join(
      ' ',
    );
  return Array.from({ length: count }, (_, line) => {
    const prompt = words(40);
    const more = { split: random.below(6) === 0 ? 'heldout' : 'train' } as const;
    if (random.below(9) === 0) return spelled('!', line + 1, more);
    return spelled(`${prompt} *1 *2`, line + 1, {
      ...more,
      rejected: [{ role: 'assistant', content: `${prompt} ${words(40)} *3` }],
    });
  });
}

async function stored(samples: readonly Sample[], layout: Shards['layout']) {
  const datasetFolder = files.folder();
  writeFileSync(join(datasetFolder, 'rows.jsonl'), samples.map((sample) => `${JSON.stringify(sample)}\n`).join(''));
  const whole = await files.build(samples, { values, layout });
  const streamed = await files.build(samples, { values, layout, streamed: true });
  return { datasetFolder, whole, streamed };
}

const windowsOf = ({
  layout = 'sequence',
  datasetFolder,
  diskBytes = 2 ** 30,
  ...request
}: Partial<OpenWindowsRequest> & {
  readonly datasetFolder: string;
  readonly shardsFolder: string;
  readonly layout?: Shards['layout'];
  readonly diskBytes?: number;
}) =>
  openWindows({
    folder: join(files.folder(), 'windows'),
    encode: (lines) => encodeBlock(lines, { layout, encode: encodeSpelled, render: values.render }),
    rows: keptRows(datasetFolder),
    disk: { bytes: diskBytes, kept: 0, fetched: { largest: 0, total: 0 } },
    ...request,
  });

const tokensOf = (reader: ShardReader, step: number) =>
  reader
    .packsOf('train', step)
    .map(({ documents }) => documents.map(({ ids, weights, promptTokens }) => ({ ids, weights, promptTokens })));

const bytesIn = (folder: string): number =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).reduce((sum, name) => {
    const entry = statSync(join(folder, name));
    return sum + (entry.isFile() ? entry.size : 0);
  }, 0);

const overhead = 2 ** 18;

test.each([
  ['sequence', 1, overhead + 9000],
  ['pair', 2, overhead + 20_000],
  ['pair', 3, overhead + 60_000],
  ['sequence', 4, 2 ** 30],
] as const)(
  'streamed %s rows are the packs that would have been stored, within their disk (%i)',
  async (layout, seed, diskBytes) => {
    const { datasetFolder, whole, streamed } = await stored(randomRows(seed, 120), layout);
    expect(statSync(join(streamed.folder, 'train.ids.u32')).size).toBe(0);
    const { storedTokens: _, ...counts } = streamed.manifest.splits.train;
    expect(whole.manifest.splits.train).toMatchObject(counts);
    expect(streamed.manifest.lost).toEqual(whole.manifest.lost);
    for (const name of ['schedule.u32', 'packs.u32', 'steps.u32', 'rows.u32'])
      expect(readFileSync(join(streamed.folder, `train.${name}`))).toEqual(
        readFileSync(join(whole.folder, `train.${name}`)),
      );
    const folder = join(files.folder(), 'windows');
    using expected = await openShards(whole.folder);
    const seen = new Set<string>();
    await using windows = await windowsOf({ datasetFolder, shardsFolder: streamed.folder, folder, layout, diskBytes });
    // A run that goes on from a checkpoint begins in the middle of a window.
    for (let step = 3; step < expected.stepCount('train'); step++) {
      const window = await windows.holding(step);
      if (!window) throw new Error('aborted');
      seen.add(window.folder);
      using reader = await openShards(window.folder);
      expect(tokensOf(reader, step - window.firstStep)).toEqual(tokensOf(expected, step));
      expect(bytesIn(folder)).toBeLessThanOrEqual(diskBytes);
      expect(readdirSync(folder).length).toBeLessThanOrEqual(2);
    }
    expect(seen.size > 3).toBe(diskBytes < 2 ** 30);
  },
);

test('what a killed process left is removed, and nothing stays when it ends', async () => {
  const { datasetFolder, streamed } = await stored(randomRows(5, 30), 'sequence');
  const parent = files.folder();
  const folder = join(parent, 'windows');
  mkdirSync(join(folder, 'step-000000'), { recursive: true });
  writeFileSync(join(folder, 'step-000000/train.ids.u32'), 'half');
  {
    await using windows = await windowsOf({ folder, datasetFolder, shardsFolder: streamed.folder });
    using reader = await openShards((await windows.holding(0))?.folder ?? '');
    expect(reader.stepCount('train')).toBeGreaterThan(0);
  }
  expect(readdirSync(parent)).toEqual([]);
});

test('a step that does not fit is refused with what would do', async () => {
  const { datasetFolder, streamed } = await stored(randomRows(6, 30), 'sequence');
  const request = { datasetFolder, shardsFolder: streamed.folder };
  const refused: unknown = await windowsOf({ ...request, diskBytes: overhead + 100 }).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 'disk-budget', hint: expect.stringMatching(/ to 0\.000247,/) });
  await using windows = await windowsOf({ ...request, diskBytes: 0.000247 * 2 ** 30 });
  expect(windows).toBeDefined();
});

test('rows that were changed since are refused, not trained on', async () => {
  const samples = randomRows(7, 30);
  const { datasetFolder, streamed } = await stored(samples, 'sequence');
  const file = join(datasetFolder, 'rows.jsonl');
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll('"content":"', '"content":"5 '));
  await using windows = await windowsOf({ datasetFolder, shardsFolder: streamed.folder });
  await expect(windows.holding(0)).rejects.toMatchObject({ code: 'dataset-changed' });
});

test('once aborted there are no more windows', async () => {
  const { datasetFolder, streamed } = await stored(randomRows(8, 30), 'sequence');
  const stop = new AbortController();
  await using windows = await windowsOf({
    datasetFolder,
    shardsFolder: streamed.folder,
    signal: stop.signal,
  });
  stop.abort();
  expect(await windows.holding(0)).toBeUndefined();
});

test('their tokens cannot be read from the shards themselves', async () => {
  const { streamed } = await stored(randomRows(9, 30), 'sequence');
  using reader = await openShards(streamed.folder);
  expect(() => reader.packsOf('train', 0)).toThrow(/tokens of training rows are not kept/);
  expect(reader.packsOf('heldout', 0).length).toBeGreaterThan(0);
});
