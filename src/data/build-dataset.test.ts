import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { dataset as datasetSchema, ledgerEntry } from '../schema/dataset.ts';
import { sample } from '../schema/sample.ts';
import { readSamples } from '../store/dataset/read-samples.ts';
import { buildDataset, workersFor } from './build-dataset.ts';
import { countRows } from './count-rows.ts';
import type { DataValues } from './opened-source.ts';
import { sourceInputs } from './sources.ts';
import { chat, collect, dataValues, request, source, testFolder } from './test-rows.ts';

const files = testFolder();
afterAll(() => files.remove());
let count = 0;

async function build(values: DataValues) {
  const folder = join(files.folder, `dataset-${count++}`);
  mkdirSync(folder);
  const built = await buildDataset({ ...request(values), folder });
  const text = (name: string): string => readFileSync(join(folder, name), 'utf8');
  const lines = (name: string): unknown[] =>
    text(name)
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  return { ...built, folder, text, lines };
}

const mixed = () =>
  files.write('mixed.jsonl', [
    chat('1', 'a', { symbol: 'A' }),
    chat('2', 'b', { symbol: 'B' }),
    chat('1', 'a', { symbol: 'B' }),
    chat('3', 'c', { symbol: 'A', martlet: { embargo: '2027-06-01' } }),
    chat('4', 'd', { symbol: 'A', martlet: { embargo: '2027-01-01' } }),
    chat('5', '', { symbol: 'A' }),
    '{"messages": [NaN]}',
  ]);
const bySymbol = { by: 'symbol', heldOut: ['B'], share: null };

describe('a dataset', () => {
  test('accounts for every row, in documents that keep to their schemas', async () => {
    const built = await build(
      dataValues([source(mixed())], { split: bySymbol, budget: { dropped: 0.3, truncated: 0 } }),
    );
    expect(datasetSchema.parse(JSON.parse(built.text('dataset.json')))).toEqual(built.dataset);
    expect(built.dataset).toMatchObject({
      rowsIn: 7,
      fates: { train: 1, heldout: 1, duplicate: 1, embargoed: 2, invalid: 2, filtered: 0, limited: 0 },
    });
    const ledger = built.lines('ledger.jsonl').map((line) => ledgerEntry.parse(line));
    expect(ledger.map(({ line }) => line)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(ledger.filter(({ reason }) => reason === null).map(({ fate }) => fate)).toEqual(['train', 'heldout']);
    const rows = built.lines('rows.jsonl').map((line) => sample.parse(line));
    expect(rows.map(({ id }) => id)).toEqual([ledger[0]?.id, ledger[1]?.id]);
    expect(built.changesOn).toBe('2027-01-01');
  });

  test('is the same, byte for byte, when built again', async () => {
    const values = dataValues([source(mixed())], { split: bySymbol, budget: { dropped: 0.5, truncated: 0 } });
    const [first, second] = [await build(values), await build(values)];
    for (const name of ['rows.jsonl', 'ledger.jsonl', 'dataset.json']) expect(first.text(name)).toBe(second.text(name));
  });

  test('is refused when it loses more than the budget, with the rows and the reasons', async () => {
    const error = await build(dataValues([source(mixed())], { split: bySymbol })).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'loss-budget',
      message: expect.stringMatching(
        /2 of 7 rows cannot be used \(1 empty-answer, 1 not-json\).*\n.*mixed\.jsonl:6:1.*\n.*mixed\.jsonl:7:15/,
      ),
      hint: expect.stringContaining('data.budget.dropped: 0.2858'),
    });
    await expect(
      build(dataValues([source(mixed())], { budget: { dropped: 0.2858, truncated: 0 } })),
    ).resolves.toBeTruthy();
  });

  test('is refused with one problem for all rows without the column of the split', async () => {
    const file = files.write('lacking.jsonl', [chat('1', 'a', { theme: 'x' }), chat('2'), chat('3'), '{']);
    const refused = (values: Partial<Parameters<typeof dataValues>[1]>) =>
      build(dataValues([source(file)], values)).catch((thrown: unknown) => thrown);
    expect(await refused({ split: { by: 'theme', heldOut: null, share: 0.2 } })).toMatchObject({
      message: expect.stringMatching(/^3 of 4 rows cannot be used \(2 split-column-missing, 1 not-json\)/),
      issues: [
        {
          path: ['data', 'split', 'by'],
          message: `2 rows without theme, which decides their side; the first: ${file}:2, ${file}:3.`,
          fix: 'Add the column, or split by another; the row has messages.',
        },
        { code: 'not-json' },
      ],
    });
    // Values that should be held out are not missed where no row has the column; one that steps make is told as such.
    const options = { step: 'map', set: { topic: 'theme' }, rename: {}, remove: [] };
    const made = {
      steps: [{ step: 'map', module: null, options }],
      split: { by: 'topic', heldOut: ['x'], share: null },
    };
    expect(await refused(made)).toMatchObject({
      code: 'loss-budget',
      issues: [
        { code: 'split-column-missing', fix: expect.stringMatching(/^The steps make topic, and a split looks/) },
        {},
      ],
    });
  });

  test('drops rows for the order of their turns under a code of their own, or refuses them as losses', async () => {
    const file = files.write('turns.jsonl', [
      chat('1'),
      { messages: [{ role: 'user', content: 'a' }, ...chat('2').messages] },
      chat('3'),
    ]);
    const { dataset, lines } = await build(dataValues([source(file)], { turns: 'drop' }));
    expect(dataset.fates).toMatchObject({ train: 2, filtered: 1, invalid: 0 });
    expect(dataset.steps[0]?.ended).toEqual([
      expect.objectContaining({ fate: 'filtered', code: 'turns-out-of-order', rows: 1 }),
    ]);
    expect(ledgerEntry.parse(lines('ledger.jsonl')[1])).toMatchObject({ fate: 'filtered', code: 'turns-out-of-order' });
    await expect(build(dataValues([source(file)], { turns: 'refuse' }))).rejects.toMatchObject({
      code: 'loss-budget',
      issues: [{ code: 'turns-out-of-order', path: ['messages', 1], place: { line: 2 } }],
    });
  });

  test('is read back by side', async () => {
    const { folder } = await build(
      dataValues([source(mixed())], { split: bySymbol, budget: { dropped: 1, truncated: 0 } }),
    );
    const questions = async (split?: 'train' | 'heldout') =>
      (await collect(readSamples(folder, split ? { split } : {}))).map(({ messages }) => messages[0]?.content);
    expect([await questions(), await questions('train'), await questions('heldout')]).toEqual([
      ['1', '2'],
      ['1'],
      ['2'],
    ]);
  });

  test('says what is allowed and yet worth knowing', async () => {
    const file = files.write('warn.jsonl', [
      chat('1'),
      {
        messages: [
          { role: 'user', content: 'q' },
          { role: 'assistant', content: 'a', mood: 'good' },
        ],
      },
      '{',
    ]);
    const split = { by: null, heldOut: null, share: 1e-9 };
    const { warnings } = await build(dataValues([source(file)], { split, budget: { dropped: 0.5, truncated: 0 } }));
    expect(warnings).toEqual([
      expect.stringMatching(
        /^1 of 3 rows cannot be used \(1 not-json\); the budget allows 50 %; the first: .*warn\.jsonl:3:2/,
      ),
      expect.stringMatching(
        /^rows changed or remarked on while they were read: 1; the first: .*warn\.jsonl:2 messages\[1\]\.mood left out$/,
      ),
      expect.stringMatching(/^no row is held out/),
    ]);
    expect((await build(dataValues([source(files.write('fine.jsonl', [chat('1')]))]))).warnings).toEqual([]);
  });

  test('that was cut off is noticed', async () => {
    const folder = join(files.folder, 'cut');
    mkdirSync(folder);
    files.write('cut/rows.jsonl', '{"id":"1","mess');
    await expect(collect(readSamples(folder))).rejects.toMatchObject({ code: 'dataset-unreadable' });
  });
});

describe('counting', () => {
  const many = () =>
    files.write(
      'many.jsonl',
      Array.from({ length: 600 }, (_, index) => chat(`question ${index}`)),
    );
  const values = () => dataValues([source(many())], { split: { by: null, heldOut: null, share: 0.25 } });

  test('is exact for what can be read', async () => {
    const counts = await countRows(request(values()));
    const { dataset } = await build(values());
    const sides = { train: dataset.fates.train, heldout: dataset.fates.heldout };
    expect(counts).toEqual({
      ...sides,
      exact: true,
      unmixed: [],
      undecided: [],
      sources: { [values().sources[0]?.from ?? '']: sides },
      absent: [],
      lost: { fates: sides, byCode: {}, issues: [], alike: [] },
    });
  });

  test('judges by size beyond that', async () => {
    const counts = await countRows({ ...request(values()), readBytes: 30_000 });
    expect(counts.exact).toBe(false);
    expect(Math.abs(counts.train + counts.heldout - 600)).toBeLessThan(30);
  });

  test('does not stretch a source beyond its limit', async () => {
    const limited = dataValues([source(many(), { limit: 100 })]);
    expect(await countRows({ ...request(limited), readBytes: 30_000 })).toMatchObject({
      train: 100,
      heldout: 0,
      exact: false,
    });
  });
});

test('sources are inputs with the hash of their bytes, and missing ones are named together', async () => {
  const file = files.write('input.jsonl', 'abc');
  const address = 'feedback/desk@1';
  const open = { values: dataValues([source(file), source(address)]), resolveFeedback: () => file };
  const fingerprint = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
  expect(await sourceInputs(open)).toEqual([
    { kind: 'file', address: file, fingerprint },
    { kind: 'feedback', address, fingerprint },
  ]);
  const gone = dataValues([source('/nowhere/a.jsonl'), source('/nowhere/b.jsonl')]);
  await expect(sourceInputs({ values: gone })).rejects.toThrow(/a\.jsonl[\s\S]*b\.jsonl/);
});

test('as many threads work as the recipe says, where there is enough to do', () => {
  const large = 300e6;
  expect(workersFor({ bytes: large, threads: 3 })).toBe(3);
  expect(workersFor({ bytes: large, threads: 1 })).toBe(0);
  expect(workersFor({ bytes: 1000, threads: 3 })).toBe(0);
});
