import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { Json } from '../schema/common.ts';
import { ledgerEntry } from '../schema/dataset.ts';
import { stepInput } from '../schema/steps.ts';
import { buildDataset } from './build-dataset.ts';
import { countRows } from './count-rows.ts';
import { inspectSources } from './inspect-sources.ts';
import type { DataValues } from './opened-source.ts';
import { openSources } from './sources.ts';
import { chat, dataValues, outcomes, request, source, testFolder } from './test-rows.ts';

const files = testFolder();
afterAll(() => files.remove());
let count = 0;

async function build(values: DataValues, more: { readonly streamed?: boolean } = {}) {
  const folder = join(files.folder, `dataset-${count++}`);
  mkdirSync(folder);
  const { warnings, dataset } = await buildDataset({ ...request(values), folder, ...more });
  const ledger = more.streamed
    ? []
    : readFileSync(join(folder, 'ledger.jsonl'), 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((line) => ledgerEntry.parse(JSON.parse(line)));
  return { warnings, dataset, ledger };
}

const thrown = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

const stepValues = (options: { readonly step: string } & Record<string, Json>) => ({
  step: options.step,
  module: null,
  options: stepInput.parse(options) as Json,
});

describe('a column that a step takes', () => {
  const rows = () =>
    files.write('themes.jsonl', [chat('1', 'a', { theme: 'x', score: 1 }), chat('2', 'b', { score: 2 })]);
  const withSteps = (...options: Parameters<typeof stepValues>[0][]) =>
    dataValues([source(rows())], { steps: options.map(stepValues) });
  const slips = () =>
    withSteps({ step: 'clean' }, { step: 'map', rename: { thema: 'topic' }, remove: ['score', 'mood'] });
  const named = [
    { code: 'column-missing', path: ['data', 'steps', 1, 'rename', 'thema'], fix: 'Did you mean theme?' },
    {
      code: 'column-missing',
      path: ['data', 'steps', 1, 'remove', 1],
      message: 'none of the 2 rows that come to this step has the column mood.',
      fix: expect.stringContaining('The columns are theme, score, messages'),
    },
  ];

  test('is known in expressions too, unless they ask whether it is there', async () => {
    const values = withSteps(
      { step: 'map', set: { topic: 'thema | upper' } },
      { step: 'filter', keep: "scor >= 1 and (mood is not defined or mood == 'good') and (tone | default('')) == ''" },
    );
    expect(await thrown(build(values))).toMatchObject({
      code: 'invalid-input',
      issues: [
        { code: 'column-missing', path: ['data', 'steps', 0, 'set', 'topic'], fix: 'Did you mean theme?' },
        { code: 'column-missing', path: ['data', 'steps', 1, 'keep'], fix: 'Did you mean score?' },
      ],
    });
    // What every sample may have, it may lack: these rows have no system text and no tools.
    const optional = withSteps({ step: 'filter', keep: 'not system and not tools and range(turns) | length > 1' });
    expect((await build(optional)).warnings).toEqual([]);
    const { warnings, ledger } = await build(withSteps({ step: 'filter', keep: "theme == 'x'" }));
    expect(warnings).toEqual([expect.stringMatching(/1 of 2 rows have no column theme/)]);
    expect(ledger.map(({ fate }) => fate)).toEqual(['train', 'filtered']);
  });

  test('to compare rows by is told too, before any is built', async () => {
    const compared = [{ code: 'column-missing', path: ['data', 'steps', 1, 'by'], fix: 'Did you mean theme?' }];
    const slip = withSteps({ step: 'clean' }, { step: 'duplicates', by: 'thema' });
    expect(await thrown(build(slip))).toMatchObject({ code: 'invalid-input', issues: compared });
    expect(await thrown(build(slip, { streamed: true }))).toMatchObject({ code: 'invalid-input', issues: compared });
    expect((await countRows(request(slip))).absent).toMatchObject(compared);
    // Rows that have none are equal to none.
    const { dataset } = await build(withSteps({ step: 'duplicates', by: 'theme' }));
    expect(dataset.fates.train).toBe(2);
  });

  test('and no row has is an error that names the nearest, whether rows are kept or streamed', async () => {
    expect(await thrown(build(slips()))).toMatchObject({ code: 'invalid-input', issues: named });
    expect(await thrown(build(slips(), { streamed: true }))).toMatchObject({ code: 'invalid-input', issues: named });
  });

  test('is known to a plan before anything is built: for certain where all rows were read', async () => {
    expect((await countRows(request(slips()))).absent).toMatchObject(
      named.map((issue) => ({ ...issue, severity: 'error' })),
    );
    const many = files.write(
      'many.jsonl',
      Array.from({ length: 200 }, (_, index) => chat(`question ${index}`)),
    );
    const values = dataValues([source(many)], { steps: [stepValues({ step: 'map', remove: ['mood'] })] });
    const { absent, exact } = await countRows({ ...request(values), readBytes: 8000 });
    expect({ exact, severities: absent.map(({ severity }) => severity) }).toEqual({
      exact: false,
      severities: ['warning'],
    });
  });

  test('and some rows lack is remarked on in each of them and warned of once', async () => {
    const { ledger, warnings, dataset } = await build(withSteps({ step: 'map', rename: { theme: 'topic' } }));
    expect(ledger.map(({ changes }) => changes)).toEqual([['map: theme is now topic'], ['map: has no column theme']]);
    expect(warnings).toContainEqual(
      expect.stringMatching(/^data\.steps\[0\]: 1 of 2 rows have no column theme; the first: .*themes\.jsonl:2$/),
    );
    expect(dataset.fates.train).toBe(2);
  });

  test('is looked for in the rows as the steps before left them', async () => {
    const twice = withSteps({ step: 'map', remove: ['score'] }, { step: 'map', rename: { score: 'grade' } });
    expect(await thrown(build(twice))).toMatchObject({ issues: [{ path: ['data', 'steps', 1, 'rename', 'score'] }] });
    const made = withSteps({ step: 'map', set: { grade: 'score * 2' } }, { step: 'map', remove: ['grade'] });
    expect((await build(made)).warnings).not.toContainEqual(expect.stringContaining('no column'));
  });

  test('is told of by an inspection', async () => {
    const [inspection] = await inspectSources({ ...request(slips()), shown: 0 });
    expect(inspection?.warnings).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^data\.steps\[1\]\.rename\.thema: none of the 2 rows .*Did you mean theme\?/),
        expect.stringMatching(/^data\.steps\[1\]\.remove\[1\]: none of the 2 rows/),
      ]),
    );
    expect(inspection?.changes).toContainEqual(expect.objectContaining({ what: 'map: has no column thema', rows: 2 }));
  });
});

describe('a column that a source names', () => {
  const qa = (index: number, more: object = {}) => ({ query: `q${index}`, response: 'a', ...more });

  test.each(['auto', 'query'] as const)('and no row has is an error, format %s', async (format) => {
    const file = files.write('named.jsonl', [qa(1, { hint: 's' }), qa(2)]);
    const values = dataValues([source(file, { format, columns: { hnt: 'system' } })]);
    expect(await thrown(openSources(request(values)))).toMatchObject({
      issues: [{ code: 'column-missing', path: ['data', 'sources', 0, 'columns', 'hnt'], fix: 'Did you mean hint?' }],
    });
  });

  test('beside what it is read as, and the two are the wrong way round, is written right', async () => {
    const file = files.write('swapped.jsonl', [{ frage: 'q', antwort: 'a', hint: 's' }]);
    const columns = { query: 'frage', response: 'antwort', hint: 'system' };
    const fix = 'The name in the rows comes first: { frage: query, antwort: response, hint: system }.';
    expect(await thrown(openSources(request(dataValues([source(file, { columns })]))))).toMatchObject({
      issues: [
        { code: 'column-missing', fix },
        { code: 'column-missing', fix },
      ],
    });
  });

  describe('to be read as', () => {
    const file = () => files.write('read-as.jsonl', [{ Frage: 'q', Antwort: 'a', Ort: 'x' }]);
    const opened = (columns: Record<string, string>, more: Parameters<typeof dataValues>[1] = {}) =>
      thrown(openSources(request(dataValues([source(file(), { columns })], more))));

    test('what no form of rows has is an error: the other column alone would be plain text', async () => {
      expect(await opened({ Frage: 'quer', Antwort: 'response' })).toMatchObject({
        issues: [
          {
            code: 'column-target-unknown',
            path: ['data', 'sources', 0, 'columns', 'Frage'],
            fix: 'Did you mean query?',
          },
        ],
      });
      const filter = stepValues({ step: 'filter', keep: 'query_type == 1' });
      expect(await opened({ Frage: 'query', Antwort: 'response', Ort: 'type' }, { steps: [filter] })).toMatchObject({
        issues: [{ code: 'column-target-unknown', fix: expect.stringContaining('A question is query') }],
      });
    });

    test('what a step or the split uses, or out of the way of another, is none', async () => {
      const columns = { Frage: 'query', Antwort: 'response', Ort: 'town' };
      const filter = stepValues({ step: 'filter', keep: "town == 'x'" });
      await openSources(request(dataValues([source(file(), { columns })], { steps: [filter] })));
      const split = { by: 'town', heldOut: null, share: 0.5 };
      await openSources(request(dataValues([source(file(), { columns })], { split })));
      const both = files.write('out-of-the-way.jsonl', [{ Frage: 'q', query: 'id', response: 'a' }]);
      const away = { query: 'query_before', Frage: 'query' };
      const [read] = await outcomes(dataValues([source(both, { columns: away })]));
      expect(read?.sample?.messages[0]?.content).toBe('q');
    });
  });

  test.each(['auto', 'query'] as const)('may come late, format %s; rows without it are remarked on', async (format) => {
    const rows = [...Array.from({ length: 200 }, (_, index) => qa(index)), qa(200, { hint: 'Be brief.' })];
    const file = files.write('late.jsonl', rows);
    const read = await outcomes(dataValues([source(file, { format, columns: { hint: 'system' } })]));
    expect(read.filter(({ changes }) => changes.includes('has no column hint')).map(({ line }) => line)).toEqual(
      Array.from({ length: 200 }, (_, index) => index + 1),
    );
    expect(read.at(-1)?.sample?.messages[0]).toEqual({ role: 'system', content: 'Be brief.' });
  });

  test('is not missed by rows that say the same under the name it is read by', async () => {
    const file = files.write('both.jsonl', [qa(1), { frage: 'q', response: 'a' }]);
    const read = await outcomes(dataValues([source(file, { format: 'query', columns: { frage: 'query' } })]));
    expect(read.map(({ changes }) => changes)).toEqual([[], []]);
  });

  test('leaves it to reading to tell of a file whose rows cannot be parsed', async () => {
    const file = files.write('torn.jsonl', ['{', '[']);
    const values = dataValues([source(file, { format: 'query', columns: { frage: 'query' } })]);
    expect((await outcomes(values)).map(({ fate }) => fate)).toEqual(['invalid', 'invalid']);
  });
});
