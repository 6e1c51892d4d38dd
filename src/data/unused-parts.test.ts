import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readSamples } from '../store/dataset/read-samples.ts';
import { buildDataset } from './build-dataset.ts';
import { chat, dataValues, request, source, testFolder } from './test-rows.ts';
import { unusedParts } from './unused-parts.ts';

const files = testFolder();
afterAll(() => files.remove());

test('what a method leaves alone is told', async () => {
  const rows = files.write('rows.jsonl', [
    chat('1'),
    chat('2', 'a', { rejected: 'b' }),
    chat('3', 'a', { rejected: 'b' }),
    { messages: chat('4').messages.slice(0, 1), responses: ['a', 'b'], scores: [1, 2] },
    { messages: chat('5').messages.slice(0, 1) },
  ]);
  const folder = join(files.folder, 'dataset');
  mkdirSync(folder);
  await buildDataset({ ...request(dataValues([source(rows)])), folder });
  expect(await unusedParts({ samples: readSamples(folder), method: 'sft' })).toEqual([
    `2 of 5 rows hold a rejected answer: sft trains on the chosen answer alone; the first: ${rows}:2`,
    `1 of 5 rows hold ranked answers: sft trains on the best answer alone; the first: ${rows}:4`,
    `1 of 5 rows have no answer: sft learns nothing from them; the first: ${rows}:5`,
  ]);
});
