import { appendFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { randomStream, streamKey } from '../core/random.ts';
import type { Sample } from '../schema/sample.ts';
import { type ShardSplit, shardSplits } from '../schema/shards.ts';
import { openShards, type ShardReader } from '../store/shards/shard-reader.ts';
import { encodeBlock } from './encode-block.ts';
import { datasetOf, encodeSpelled, planValues, spelled, spelledId, testShards } from './test-shards.ts';

const files = testShards();
afterAll(() => files.remove());

/** Rows of 2 to `longest` tokens, some held out, with weights of 0, a half and 1. */
function randomSamples(seed: number, count: number, longest: number): Sample[] {
  const random = randomStream(streamKey(seed, count));
  return Array.from({ length: count }, (_, line) => {
    const words = Array.from({ length: 2 + random.below(longest - 1) }, () => {
      const mark = ['', '*', '~'][random.below(3)];
      return `${mark}${random.below(50_000)}`;
    });
    words[words.length - 1] = '*7';
    return spelled(words.join(' '), line + 1, { split: random.below(5) === 0 ? 'heldout' : 'train' });
  });
}

const tokensOf = (sample: Sample) => {
  const encoded = encodeSpelled(sample);
  if (encoded instanceof Promise || !encoded.ok) throw new Error('not encoded');
  return encoded.value;
};

const allPacks = (reader: ShardReader, split: ShardSplit) =>
  Array.from({ length: reader.stepCount(split) }, (_, step) => reader.packsOf(split, step));

describe('shards (seeded)', () => {
  test.each([1, 2, 3, 4, 5, 6])(
    'lose no token, keep weights, and train every document once a pass (%i)',
    async (seed) => {
      const epochs = 1 + (seed % 3);
      const rowsPerStep = 3 + seed * 2;
      const packTokens = 20 + seed * 10;
      const samples = randomSamples(seed, 60 + seed, 40);
      const { folder, manifest } = await files.build(samples, {
        values: planValues({ train: { epochs, rowsPerStep, seed } }),
        packTokens,
      });
      using reader = await openShards(folder);
      for (const split of shardSplits) {
        const expected = samples.filter((sample) => sample.split === split);
        const counts = manifest.splits[split];
        expect(counts.documents).toBe(expected.length);
        for (const [index, sample] of expected.entries()) {
          const { ids, weights } = tokensOf(sample);
          expect(reader.document(split, index)).toEqual({
            index,
            ids,
            weights,
            promptTokens: 0,
            row: index,
            group: index,
          });
          expect(reader.rowOf(split, index)).toEqual({ id: sample.id, cutTokens: 0 });
        }
        const steps = allPacks(reader, split);
        for (const pack of steps.flat()) {
          const size = pack.documents.reduce((sum, { ids }) => sum + ids.length, 0);
          if (pack.documents.length > 1) expect(size).toBeLessThanOrEqual(packTokens);
        }
        const trained = steps.flat().flatMap(({ documents }) => documents.map(({ index }) => index));
        const passes = split === 'train' ? epochs : 1;
        const perPass = Array.from({ length: passes }, () => expected.map((_, index) => index)).flat();
        expect(trained.toSorted((a, b) => a - b)).toEqual(perPass.toSorted((a, b) => a - b));
        expect(counts).toMatchObject({
          packs: steps.flat().length,
          steps: steps.length,
          tokens: expected.reduce((sum, sample) => sum + tokensOf(sample).ids.length, 0),
          learnedTokens: expected.flatMap((sample) => [...tokensOf(sample).weights]).filter((weight) => weight > 0)
            .length,
          longestTokens: Math.max(...expected.map((sample) => tokensOf(sample).ids.length)),
        });
      }
      const rows = samples.filter(({ split }) => split === 'train').length;
      const sizes = Array.from(
        { length: reader.stepCount('train') },
        (_, step) => reader.stepDocuments('train', step).length,
      );
      const rest = rows % rowsPerStep;
      const pass = [...new Array<number>(Math.floor(rows / rowsPerStep)).fill(rowsPerStep), ...(rest ? [rest] : [])];
      expect(sizes).toEqual(Array.from({ length: epochs }, () => pass).flat());
      expect(reader.stepCount('heldout')).toBe(1);
    },
  );

  test('are the same files for the same seed, and only the schedule differs for another', async () => {
    const samples = randomSamples(9, 50, 30);
    const build = async (seed: number) =>
      (await files.build(samples, { values: planValues({ train: { seed } }) })).folder;
    const [first, second, other] = [await build(1), await build(1), await build(2)];
    const differing = (a: string, b: string) =>
      readdirSync(a).filter((name) => !readFileSync(join(a, name)).equals(readFileSync(join(b, name))));
    expect(differing(first, second)).toEqual([]);
    expect(differing(first, other)).toContain('train.schedule.u32');
    expect(differing(first, other).filter((name) => !/^train\.(schedule|packs|steps)|shards\.json/.test(name))).toEqual(
      [],
    );
  });

  test('change only their packs, never their steps, with packTokens', async () => {
    const samples = randomSamples(10, 50, 30);
    const steps = async (packTokens: number) => {
      using reader = await openShards((await files.build(samples, { packTokens })).folder);
      return Array.from({ length: reader.stepCount('train') }, (_, step) =>
        [...reader.stepDocuments('train', step)].sort(),
      );
    };
    expect(await steps(30)).toEqual(await steps(300));
  });
});

test('epochs says how often the rows were really taken', async () => {
  const samples = Array.from({ length: 10 }, (_, line) => spelled('1 *2', line + 1));
  const epochs = async (train: object) =>
    (await files.build(samples, { values: planValues({ train }) })).manifest.epochs;
  expect(await epochs({ rowsPerStep: 4, epochs: 2.5 })).toBe(2.5);
  expect(await epochs({ rowsPerStep: 4, epochs: 3, maxSteps: 2 })).toBe(0.8);
});

describe('pairs', () => {
  const pair = (chosen: string, rejected: string, line: number): Sample =>
    spelled(chosen, line, { rejected: [{ role: 'assistant', content: rejected }] });

  test('are two documents of one group, side by side in one pack', async () => {
    const samples = [pair('1 *2 *3', '1 *4', 1), pair('5 *6', '5 *7 *8', 2), pair('9 *10', '9 *11', 3)];
    const { folder, manifest } = await files.build(samples, { layout: 'pair', packTokens: 10 });
    expect(manifest.splits.train).toMatchObject({ rows: 3, documents: 6, tokens: 14 });
    using reader = await openShards(folder);
    const packs = reader.packsOf('train', 0);
    expect(packs).toHaveLength(2);
    for (const { documents } of packs)
      for (const [at, { index, group, row }] of documents.entries()) {
        expect([group, row]).toEqual([Math.floor(index / 2), Math.floor(index / 2)]);
        expect(index % 2).toBe(at % 2);
      }
    expect([...reader.document('train', 1).ids]).toEqual([1, 4]);
  });

  test.each([1, 2, 3, 4])(
    'and groups store the prompt of their answers once, and give each token back (%i)',
    async (seed) => {
      const random = randomStream(streamKey(31, seed));
      const words = (least: number, span: number): string =>
        Array.from(
          { length: least + random.below(span) },
          () => `${['', '*', '~'][random.below(3)]}${random.below(500)}`,
        ).join(' ');
      const layout = seed % 2 === 0 ? 'pair' : 'group';
      const answersOf: string[][] = [];
      const samples = Array.from({ length: 40 }, (_, line) => {
        const prompt = words(3, 30);
        const answers = Array.from(
          { length: layout === 'pair' ? 2 : 2 + random.below(4) },
          () => `${prompt} ${words(1, 9)} *1`,
        );
        answersOf.push(answers);
        const [first = '', second = ''] = answers;
        const said = (content: string) => [{ role: 'assistant' as const, content }];
        return layout === 'pair'
          ? spelled(first, line + 1, { rejected: said(second) })
          : spelled(first, line + 1, { ranked: answers.map((answer) => ({ messages: said(answer), score: 0 })) });
      });
      const { folder, manifest } = await files.build(samples, { layout, packTokens: 200 });
      using reader = await openShards(folder);
      const documents = answersOf.flatMap((answers, row) => answers.map((answer) => ({ row, answer })));
      let stored = 0;
      for (const [index, { row, answer }] of documents.entries()) {
        const made = reader.document('train', index);
        const { ids, weights } = tokensOf(spelled(answer, 1));
        expect(made).toMatchObject({ ids, weights, row, group: row });
        const first = answersOf[row]?.[0] === answer && (index === 0 || documents[index - 1]?.row !== row);
        expect(made.promptTokens).toBeGreaterThanOrEqual(3);
        stored += ids.length - (first ? 0 : made.promptTokens);
      }
      expect(manifest.splits.train).toMatchObject({ documents: documents.length, storedTokens: stored });
      for (const pack of allPacks(reader, 'train').flat())
        for (const { row } of pack.documents)
          expect(pack.documents.filter((other) => other.row === row)).toHaveLength(answersOf[row]?.length ?? 0);
    },
  );

  test('without a rejected answer are lost, with a reason', async () => {
    const samples = [pair('1 *2', '1 *3', 1), spelled('1 *4', 2)];
    const { manifest } = await files.build(samples, {
      layout: 'pair',
      values: planValues({ budget: { dropped: 0.5 } }),
    });
    expect(manifest.lost).toEqual([
      {
        id: spelledId(2),
        place: expect.stringMatching(/rows\.jsonl:2$/),
        fate: 'no-supervision',
        reason: expect.stringContaining('rejected'),
      },
    ]);
  });

  test('keep their common prompt when they are cut', async () => {
    const samples = [pair('1 2 3 4 *5', '1 2 3 4 *6 *7', 1)];
    const { folder } = await files.build(samples, {
      layout: 'pair',
      values: planValues({ render: { lengthTokens: 4, overflow: 'truncate-prompt' }, budget: { truncated: 1 } }),
    });
    using reader = await openShards(folder);
    expect([0, 1].map((index) => [...reader.document('train', index).ids])).toEqual([
      [3, 4, 5],
      [3, 4, 6, 7],
    ]);
  });
});

describe('rows that are too long', () => {
  const samples = [spelled('1 2 3 4 5 *6 *7', 1), spelled('1 *2', 2), spelled('1 2 *3 *4 *5 *6', 3)];
  const values = (overflow: 'refuse' | 'drop' | 'truncate-prompt', budget = {}) =>
    planValues({ render: { lengthTokens: 4, overflow }, budget });

  test('are refused by name, with the length that would keep them', async () => {
    await expect(files.build(samples, { values: values('refuse') })).rejects.toMatchObject({
      code: 'row-too-long',
      message: expect.stringMatching(
        /2 rows are longer than 4 tokens:\n.*rows\.jsonl:1 .*7 tokens.*\n.*rows\.jsonl:3 .*6 tokens/,
      ),
      hint: expect.stringContaining('render.lengthTokens: 7'),
    });
  });

  test('are dropped within the budget only', async () => {
    await expect(files.build(samples, { values: values('drop', { dropped: 0.5 }) })).rejects.toMatchObject({
      code: 'loss-budget',
      hint: expect.stringContaining('data.budget.dropped: 0.6667'),
    });
    const { manifest } = await files.build(samples, { values: values('drop', { dropped: 0.6667 }) });
    expect(manifest.lost.map(({ id, fate }) => [id, fate])).toEqual([
      [spelledId(1), 'too-long'],
      [spelledId(3), 'too-long'],
    ]);
  });

  test('lose the front of their prompt, never of their answer, and are counted', async () => {
    const budget = { truncated: 0.5, dropped: 0.5 };
    const { folder, manifest } = await files.build(samples, { values: values('truncate-prompt', budget) });
    using reader = await openShards(folder);
    expect(reader.document('train', 0)).toMatchObject({
      ids: Uint32Array.of(4, 5, 6, 7),
      weights: Float32Array.of(0, 0, 1, 1),
    });
    expect(manifest).toMatchObject({ truncated: 1, lost: [{ id: spelledId(3), fate: 'too-long' }] });
    await expect(
      files.build(samples, { values: values('truncate-prompt', { dropped: 0.5, truncated: 0.3 }) }),
    ).rejects.toMatchObject({ code: 'loss-budget', message: expect.stringMatching(/1 of 3 samples are cut/) });
  });
});

describe('losses', () => {
  test('are named by row and reason', async () => {
    const samples = [spelled('1 2 3', 1), spelled('!', 2), spelled('*1 2', 3), spelled('1 *2', 4)];
    const error = await files.build(samples).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'loss-budget',
      message: expect.stringMatching(
        /3 of 4 samples.*\n.*:1 no-supervision.*\n.*:2 not-rendered: messages\[0\]: no\..*\n.*:3 no-supervision/,
      ),
    });
  });

  test('add up with those of the dataset', async () => {
    const samples = [spelled('1 2', 1), ...Array.from({ length: 9 }, (_, line) => spelled('1 *2', line + 2))];
    const values = planValues({ budget: { dropped: 0.1 } });
    await expect(files.build(samples, { values })).resolves.toBeTruthy();
    await expect(files.build(samples, { values, dataset: datasetOf(samples, 5) })).rejects.toMatchObject({
      code: 'loss-budget',
      message: expect.stringContaining('5 were invalid before'),
    });
  });

  test('of everything leave nothing to train', async () => {
    const samples = [spelled('1 *2', 1, { split: 'heldout' })];
    await expect(files.build(samples)).rejects.toMatchObject({ code: 'nothing-to-train' });
  });
});

test('no held-out rows make no steps', async () => {
  const { folder } = await files.build([spelled('1 *2', 1)]);
  using reader = await openShards(folder);
  expect(reader.stepCount('heldout')).toBe(0);
});

describe('a build that was interrupted', () => {
  test.each([
    ['sequence', false],
    ['sequence', true],
    ['pair', false],
  ] as const)(
    'goes on and gives the same bytes, whatever a killed process left behind its last note (%s, streamed: %s)',
    async (layout, streamed) => {
      const random = randomStream(streamKey(51, streamed ? 1 : 0));
      const samples = randomSamples(12, 90, 20).map((sample, index) =>
        index % 11 === 0
          ? spelled('!', index + 1)
          : { ...sample, rejected: [{ role: 'assistant' as const, content: `${index} *${index}` }] },
      );
      const options = { layout, streamed, rowsPerBlock: 3, values: planValues({ budget: { dropped: 1 } }) };
      const whole = (await files.build(samples, options)).folder;
      for (let round = 0; round < 12; round++) {
        const folder = files.folder();
        for (let stops = random.below(3); stops >= 0; stops--) {
          const stopAt = random.below(20);
          let seen = 0;
          await files
            .build(samples, {
              ...options,
              folder,
              encoders: [
                async (lines) => {
                  if (seen++ === stopAt) throw new Error('killed');
                  return encodeBlock(lines, { layout, encode: encodeSpelled, render: options.values.render });
                },
              ],
            })
            .catch((error: Error) => expect(error.message).toBe('killed'));
          if (!existsSync(join(folder, 'progress.jsonl'))) break;
          // More may have reached the disk than was noted; the last note may be torn.
          for (const name of readdirSync(folder)) {
            const tail = name === 'progress.jsonl' ? '{"blocks":9' : 'x'.repeat(random.below(40));
            appendFileSync(join(folder, name), tail);
          }
        }
        if (existsSync(join(folder, 'progress.jsonl'))) await files.build(samples, { ...options, folder });
        expect(readdirSync(folder).sort()).toEqual(readdirSync(whole).sort());
        for (const name of readdirSync(whole))
          expect(readFileSync(join(folder, name)).equals(readFileSync(join(whole, name))), name).toBe(true);
      }
    },
  );
});

test('a build stops when asked to', async () => {
  await expect(files.build([spelled('1 *2', 1)], { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
});
