import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readRecipe, resolvePlan } from '../recipe/index.ts';
import { readSamples } from '../store/dataset/read-samples.ts';
import { buildDataset } from './build-dataset.ts';
import { chat, collect, outcomes, request, testFolder } from './test-rows.ts';

const files = testFolder();
afterAll(() => files.remove());
let count = 0;

/** The `data` of a recipe, resolved. */
function resolved(data: object) {
  const text = JSON.stringify({ name: 'a', base: 'hf:a/b', data });
  const read = readRecipe({ text, file: 'recipe.yaml', flags: [] });
  const plan = read.ok
    ? resolvePlan({ ...read.value, facts: {}, resolvePath: (path) => `${files.folder}/${path}` })
    : read;
  if (!plan.ok) throw new Error(JSON.stringify(plan.issues));
  return plan.value.values.data;
}

/** Rows that it gives, as questions. */
async function questions(data: object): Promise<string[]> {
  const kept = (await outcomes(resolved(data))).filter(({ sample }) => sample !== null);
  return kept.map(({ sample }) => String(sample?.messages[0]?.content));
}

const rowsOf = (name: string, count: number) =>
  files.write(
    name,
    Array.from({ length: count }, (_, index) => chat(`${name[0]}${index}`)),
  );

describe("ms-swift's sources", () => {
  test('jsonl, json, csv with an empty text kept, and text by the line', async () => {
    files.write('a.jsonl', [chat('1')]);
    files.write('b.json', JSON.stringify([chat('2')]));
    files.write('c.csv', 'query,response,system\n3,"a, b",\n');
    files.write('d.txt', 'four\nfive\n');
    const sources = [{ from: 'a.jsonl' }, { from: 'b.json' }, { from: 'c.csv' }, { from: 'd.txt', textRows: 'line' }];
    expect(await questions({ sources })).toEqual(['1', '2', '3', 'four', 'five']);
  });

  test('a folder is its files, by name', async () => {
    mkdirSync(`${files.folder}/folder`);
    files.write('folder/2.jsonl', [chat('2')]);
    files.write('folder/1.jsonl', [chat('1')]);
    expect(await questions({ sources: [{ from: 'folder' }] })).toEqual(['1', '2']);
  });

  test('#n below the size draws without putting back, the same rows for the same seed', async () => {
    rowsOf('x.jsonl', 20);
    const drawn = await questions({ sources: [{ from: 'x.jsonl#5' }] });
    expect(new Set(drawn).size).toBe(5);
    expect(await questions({ sources: [{ from: 'x.jsonl', sample: 5 }] })).toEqual(drawn);
    expect(await questions({ sources: [{ from: 'x.jsonl#5' }], seed: 7 })).not.toEqual(drawn);
  });

  test('#n above the size takes all rows as often as it goes, and some once more', async () => {
    rowsOf('y.jsonl', 4);
    const drawn = await questions({ sources: [{ from: 'y.jsonl#10' }] });
    const counts = ['y0', 'y1', 'y2', 'y3'].map((row) => drawn.filter((other) => other === row).length);
    expect(counts.toSorted()).toEqual([2, 2, 3, 3]);
  });

  test('sources follow one another, or are mixed in turn or by weight, until the first or the last ends', async () => {
    rowsOf('p.jsonl', 2);
    rowsOf('q.jsonl', 5);
    const sources = [{ from: 'p.jsonl' }, { from: 'q.jsonl' }];
    expect(await questions({ sources })).toEqual(['p0', 'p1', 'q0', 'q1', 'q2', 'q3', 'q4']);
    expect((await questions({ sources, mix: 'interleave' })).slice(0, 4)).toEqual(['p0', 'q0', 'p1', 'q1']);
    const all = await questions({ sources, mix: 'interleave', mixStop: 'all-exhausted' });
    expect(new Set(all)).toEqual(new Set(['p0', 'p1', 'q0', 'q1', 'q2', 'q3', 'q4']));
    const weighted = [
      { from: 'p.jsonl', weight: 1 },
      { from: 'q.jsonl', weight: 1e9 },
    ];
    expect((await questions({ sources: weighted, mix: 'interleave' })).slice(0, 5)).toEqual([
      'q0',
      'q1',
      'q2',
      'q3',
      'q4',
    ]);
  });

  test('rows are shuffled by a seed, and told who the model is, by steps', async () => {
    rowsOf('s.jsonl', 20);
    files.write('self.jsonl', [chat('Who are you?', '{{NAME}} of {{AUTHOR}}'), chat('你是谁', '{{NAME}}')]);
    const built = async (name: string, ...steps: object[]) => {
      const folder = join(files.folder, `dataset-${count++}`);
      mkdirSync(folder);
      await buildDataset({ ...request(resolved({ sources: [{ from: name }], steps })), folder });
      const samples = await collect(readSamples(folder));
      return samples.map(({ messages }) => messages.map(({ content }) => String(content)));
    };
    const shuffled = await built('s.jsonl', { step: 'shuffle', seed: 7 });
    expect(shuffled).not.toEqual(await built('s.jsonl'));
    expect(shuffled.toSorted()).toEqual((await built('s.jsonl')).toSorted());
    expect(await built('s.jsonl', { step: 'shuffle', seed: 7 })).toEqual(shuffled);
    const who = { step: 'self-cognition', modelName: { en: 'Martlet', zh: '燕子' }, author: 'us' };
    expect(await built('self.jsonl', who)).toEqual([
      ['Who are you?', 'Martlet of us'],
      ['你是谁', '燕子'],
    ]);
  });
});
