import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Json } from '../schema/common.ts';
import { stepInput } from '../schema/steps.ts';
import { buildDataset } from './build-dataset.ts';
import { chat, dataValues, request, source, testFolder } from './test-rows.ts';

const files = testFolder();
afterAll(() => files.remove());
let count = 0;

type Options = { readonly step: string } & Record<string, Json>;
const longer = (than: number): Options => ({ step: 'filter', keep: `question | length > ${than}` });

/** A file of a hundred rows, built again and again with one cache; gives, by step, pieces in all and pieces taken. */
function corpus(workers: number) {
  const name = `corpus-${count++}`;
  const rows = Array.from({ length: 100 }, (_, index) =>
    chat(`question number ${index} of many`, `answer ${index * 7919}`),
  );
  const file = files.write(`${name}.jsonl`, rows);
  const cacheFolder = join(files.folder, `${name}-cache`);
  return {
    add: (question: string) => appendFileSync(file, `${JSON.stringify(chat(question))}\n`),
    async build(...steps: readonly Options[]) {
      const folder = join(files.folder, `dataset-${count++}`);
      mkdirSync(folder);
      const values = dataValues([source(file)], {
        steps: steps.map((options) => ({
          step: options.step,
          module: null,
          options: stepInput.parse(options) as Json,
        })),
      });
      const { reuse } = await buildDataset({ ...request(values), folder, cacheFolder, workers, batchBytes: 2500 });
      return Object.fromEntries((reuse ?? []).map(({ pieces, taken }, at) => [at, `${taken} of ${pieces}`]));
    },
  };
}

test.each([0, 2])(
  'only the last of three steps is done again when only its options change, %i threads',
  async (workers) => {
    const { build } = corpus(workers);
    const pieces = 5;
    const [none, all] = [`0 of ${pieces}`, `${pieces} of ${pieces}`];
    expect(await build(longer(1), { step: 'language' }, longer(2))).toEqual({ 0: none, 1: none, 2: none, 3: none });
    expect(await build(longer(1), { step: 'language' }, longer(3))).toEqual({ 0: all, 1: all, 2: all, 3: none });
    expect(await build(longer(1), { step: 'language' }, longer(3))).toEqual({ 0: all, 1: all, 2: all, 3: all });
    expect(await build(longer(1), longer(2), longer(3))).toEqual({ 0: all, 1: all, 2: none, 3: none });
  },
);

test('a step over all rows is taken too, as long as what came to it is the same', async () => {
  const { build } = corpus(0);
  const near = (threshold: number): Options => ({ step: 'near-duplicates', threshold });
  const [none, all] = ['0 of 5', '5 of 5'];
  await build(longer(1), near(0.9), longer(2));
  expect(await build(longer(1), near(0.9), longer(3))).toEqual({ 0: all, 1: all, 2: all, 3: none });
  expect(await build(longer(1), near(0.95), longer(3))).toMatchObject({ 0: all, 1: all, 2: none });
  expect(await build(longer(0), near(0.95), longer(3))).toMatchObject({ 0: all, 1: none });
});

test('of rows that were added, only their piece is read', async () => {
  const { build, add } = corpus(0);
  await build(longer(1), longer(2));
  add('one more');
  expect(await build(longer(1), longer(2))).toEqual({ 0: '4 of 5', 1: '4 of 5', 2: '4 of 5' });
});
