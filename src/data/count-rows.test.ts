import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { totalOf } from '../core/forecast.ts';
import type { Json } from '../schema/common.ts';
import { stepInput } from '../schema/steps.ts';
import { buildDataset } from './build-dataset.ts';
import { countRows } from './count-rows.ts';
import type { DataValues } from './opened-source.ts';
import { chat, dataValues, request, source, testFolder } from './test-rows.ts';

const files = testFolder();
afterAll(() => files.remove());

const stepValues = (options: { readonly step: string } & Record<string, Json>) => ({
  step: options.step,
  module: null,
  options: stepInput.parse(options) as Json,
});

const question = (index: number): string =>
  `question ${index % 17} of a good many words that are all the same but for the number`;

const sources = () => [
  source(
    files.write(
      'one.jsonl',
      Array.from({ length: 40 }, (_, index) => chat(question(index), `a ${index}`, { group: index % 7 })),
    ),
  ),
  source(
    files.write(
      'two.jsonl',
      Array.from({ length: 30 }, (_, index) => chat(question(index), `a ${index % 20}`, { group: index % 5 })),
    ),
  ),
];

const steps = {
  none: [],
  'rows that are dropped': [stepValues({ step: 'filter', keep: 'group > 1' })],
  'rows made equal': [stepValues({ step: 'map', set: { answer: "'the same'" } })],
  'rows that are compared by a column': [
    stepValues({ step: 'duplicates', by: 'group' }),
    stepValues({ step: 'filter', keep: 'group != 3' }),
  ],
  'another order': [stepValues({ step: 'shuffle' }), stepValues({ step: 'duplicates' })],
} satisfies Record<string, DataValues['steps']>;

let count = 0;

test.each(Object.entries(steps))('what is counted beforehand is what is built: %s', async (_, given) => {
  const values = dataValues(sources(), { steps: given, split: { by: null, heldOut: null, share: 0.2 } });
  const counted = await countRows(request(values));
  const folder = join(files.folder, `dataset-${count++}`);
  mkdirSync(folder);
  const { dataset } = await buildDataset({ ...request(values), folder });
  const bySource: Record<string, { train: number; heldout: number }> = {};
  for (const line of readFileSync(join(folder, 'ledger.jsonl'), 'utf8').trim().split('\n')) {
    const { source: from, fate } = JSON.parse(line) as { source: string; fate: string };
    bySource[from] ??= { train: 0, heldout: 0 };
    if (fate === 'train' || fate === 'heldout') bySource[from][fate]++;
  }
  expect(counted.sources).toEqual(bySource);
  expect(totalOf(bySource, 'train')).toBe(dataset.fates.train);
  expect(counted).toMatchObject({ train: dataset.fates.train, heldout: dataset.fates.heldout, undecided: [] });
});

test('what a step drops that has to see all rows is not known beforehand', async () => {
  const values = dataValues(sources(), { steps: [stepValues({ step: 'near-duplicates' })] });
  const counted = await countRows(request(values));
  expect(counted).toMatchObject({ train: 50, undecided: ['near-duplicates'] });
  expect(counted.sources).toBeUndefined();
});

test('of few rows one can be held out after steps too: its side hangs on what was read', async () => {
  const rows = Array.from({ length: 12 }, (_, index) => chat(`q ${index}`, `  a${index}`, { group: index }));
  const from = [source(files.write('few.jsonl', rows))];
  const steps = [
    stepValues({ step: 'clean' }),
    stepValues({ step: 'map', set: { answer: "'a ' ~ group" } }),
    stepValues({ step: 'filter', keep: 'group > 2' }),
  ];
  const { oneRow } = await countRows(request(dataValues(from, { steps })));
  const share = oneRow?.share ?? 0;
  const held = dataValues(from, { steps, split: { by: null, heldOut: null, share } });
  const folder = join(files.folder, 'few');
  mkdirSync(folder);
  const { dataset } = await buildDataset({ ...request(held), folder });
  expect(dataset.fates).toMatchObject({ train: 8, heldout: 1, filtered: 3 });
  expect(await countRows(request(held))).toMatchObject({ train: 8, heldout: 1 });
});
