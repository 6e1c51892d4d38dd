import { afterAll, describe, expect, test } from 'vitest';
import { readSources } from './read-sources.ts';
import { openSources } from './sources.ts';
import { chat, collect, dataValues, outcomes, request, source, testFolder } from './test-rows.ts';

const files = testFolder();
afterAll(files.remove);

const write = (name: string, count: number): string =>
  files.write(
    `${name}.jsonl`,
    Array.from({ length: count }, (_, index) => chat(`${name}${index}`)),
  );
const questions = (rows: Awaited<ReturnType<typeof outcomes>>): string[] =>
  rows.flatMap(({ sample }) => (sample ? [String(sample.messages[0]?.content)] : []));

describe('rows drawn from a source', () => {
  const hundred = write('h', 100);

  test('are so many, in their order, the same for a seed; the others are accounted for', async () => {
    const rows = await outcomes(dataValues([source(`${hundred}#30`)]));
    const drawn = questions(rows);
    expect(drawn).toHaveLength(30);
    expect(drawn).toEqual(drawn.toSorted((a, b) => Number(a.slice(1)) - Number(b.slice(1))));
    expect(rows.filter(({ fate }) => fate === 'limited')).toHaveLength(70);
    expect(rows.find(({ fate }) => fate === 'limited')?.reason).toBe('not among the 30 rows drawn of 100');
    expect(questions(await outcomes(dataValues([source(hundred, { sample: 30 })])))).toEqual(drawn);
    const other = questions(await outcomes(dataValues([source(hundred, { sample: 30 })], { seed: 43 })));
    expect(other).toHaveLength(30);
    expect(other).not.toEqual(drawn);
  });

  test('are equally likely', async () => {
    const times = new Map<string, number>();
    for (let seed = 0; seed < 200; seed++) {
      const values = dataValues([source(write('e', 10), { sample: 3 })], { seed });
      for (const question of questions(await outcomes(values))) times.set(question, (times.get(question) ?? 0) + 1);
    }
    expect(times.size).toBe(10);
    for (const count of times.values()) expect(Math.abs(count - 60)).toBeLessThan(30);
  });

  test('of more than there are come as often as it goes, and are no duplicates', async () => {
    const rows = await outcomes(dataValues([source(`${write('m', 4)}#10`)]));
    const all = questions(rows);
    expect(all).toHaveLength(10);
    expect(all.slice(0, 8)).toEqual(['m0', 'm1', 'm2', 'm3', 'm0', 'm1', 'm2', 'm3']);
    expect(new Set(all.slice(8)).size).toBe(2);
    expect(rows).toHaveLength(10);
  });
});

describe('sources that are mixed', () => {
  const [three, five] = [write('a', 3), write('b', 5)];
  const mixed = (more: object, weights: readonly (number | null)[] = [null, null]) =>
    outcomes(
      dataValues(
        [three, five].map((file, index) => source(file, { weight: weights[index] ?? null })),
        { mix: 'interleave', ...more },
      ),
    );

  test('come in turn until one has no more, and the rest is accounted for', async () => {
    const rows = await mixed({});
    expect(questions(rows)).toEqual(['a0', 'b0', 'a1', 'b1', 'a2', 'b2']);
    expect(rows.slice(6).map(({ fate, line, reason }) => [fate, line, reason])).toEqual([
      ['limited', 4, `interleaving ended with the last row of ${three}`],
      ['limited', 5, `interleaving ended with the last row of ${three}`],
    ]);
  });

  test('come in turn until all have had their last row, the shorter ones again', async () => {
    expect(questions(await mixed({ mixStop: 'all-exhausted' }))).toEqual([
      'a0',
      'b0',
      'a1',
      'b1',
      'a2',
      'b2',
      'a0',
      'b3',
      'a1',
      'b4',
    ]);
  });

  test('take turns by the rows that are drawn, and every other row is accounted for once', async () => {
    for (const mixStop of ['first-exhausted', 'all-exhausted'] as const) {
      const values = dataValues([source(`${write('d', 20)}#4`), source(five)], { mix: 'interleave', mixStop });
      const rows = await outcomes(values);
      const all = questions(rows);
      expect(all.map((question) => question[0]).join('')).toBe(
        mixStop === 'first-exhausted' ? 'dbdbdbdb' : 'dbdbdbdbdb',
      );
      expect(rows.filter(({ reason }) => reason?.includes('drawn of 20'))).toHaveLength(16);
      expect(rows.filter(({ fate }) => fate === 'duplicate')).toHaveLength(0);
    }
  });

  test('come by their weights, the same for a seed', async () => {
    const long = [write('x', 900), write('y', 900)];
    const values = (seed: number) =>
      dataValues(
        long.map((file, index) => source(file, { weight: [3, 1][index] ?? null })),
        { mix: 'interleave', seed },
      );
    const rows = questions(await outcomes(values(1)));
    const share = rows.filter((question) => question.startsWith('x')).length / rows.length;
    expect(Math.abs(share - 0.75)).toBeLessThan(0.04);
    expect(questions(await outcomes(values(1)))).toEqual(rows);
    expect(questions(await outcomes(values(2)))).not.toEqual(rows);
    expect(rows.filter((question) => question.startsWith('x'))).toHaveLength(900);
  });
});

test('each row of a source of many files says its own, also when it is the same as another', async () => {
  const [a, b] = [
    files.write('many/1.jsonl', [chat('same')]),
    files.write('many/2.jsonl', [chat('new'), chat('same')]),
  ];
  const rows = await outcomes(dataValues([source(`${files.folder}/many`)]));
  expect(rows.map(({ file, line, fate }) => [file, line, fate])).toEqual([
    [a, 1, 'train'],
    [b, 1, 'train'],
    [b, 2, 'duplicate'],
  ]);
  expect(rows[2]?.reason).toBe(`the same content as ${a}:1`);
  expect(rows[1]?.sample?.provenance).toMatchObject({ source: `${files.folder}/many`, file: b, line: 1 });
});

test('a row longer than data.maxRowMiB is named, and the next one read', async () => {
  const file = files.write('long.jsonl', [chat('a'), chat('b', 'x'.repeat(3000)), chat('c')]);
  const rows = await outcomes(dataValues([source(file)], { maxRowMiB: 0.001 }));
  expect(rows.map(({ fate, line }) => [fate, line])).toEqual([
    ['train', 1],
    ['invalid', 2],
    ['train', 3],
  ]);
  expect(rows[1]?.reason).toMatch(/row-too-long/);
});

test('a hub is asked for the files of an address', async () => {
  const file = write('hub', 2);
  const asked: unknown[] = [];
  const fetchDataset = async (dataset: object) => {
    asked.push(dataset);
    return [{ file, bytes: null }];
  };
  const values = dataValues([source('hf:org/rows@v2:en/test#1')]);
  expect(questions(await collect(readSources(request(values, { fetchDataset }))))).toHaveLength(1);
  expect(asked[0]).toEqual({ kind: 'hf', id: 'org/rows', revision: 'v2', parts: ['en', 'test'], split: undefined });
  await expect(openSources({ values })).rejects.toThrow(/no hub is to be asked/);
});
