import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeEach, describe, expect, type TestContext, test } from 'vitest';
import { requireOrSkip } from '../../../tests/support/skip.ts';
import { selectDatasetFiles } from './dataset-files.ts';
import { folderRemarks, type OpenPartsRequest, openParts, reopenPart } from './open-parts.ts';
import { parseSourceAddress } from './source-address.ts';

const folder = mkdtempSync(join(tmpdir(), 'martlet-parts-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function rowsOf(from: string, more: Partial<OpenPartsRequest> = {}): Promise<string[]> {
  const rows: string[] = [];
  for (const part of await openParts({ from, ...more }))
    for await (const { bytes, line } of part.read({})) rows.push(`${line} ${bytes}`);
  return rows;
}

describe('files of many', () => {
  const place = join(folder, 'many');
  const save = (name: string, text: string | Uint8Array): void => {
    mkdirSync(join(place, name, '..'), { recursive: true });
    writeFileSync(join(place, name), text);
  };
  save('part-10.jsonl', '10');
  save('part-2.jsonl.gz', gzipSync('2'));
  save('en/train.csv', 'a\n1\n');
  save('en/test.csv', 'a\n2\n');
  save('README.md', 'It explains.');
  save('dataset_info.json', '{}');
  save('notes/pic.png', 'no rows');
  const names = async (from: string): Promise<string[]> =>
    (await openParts({ from })).map(({ file }) => file.slice(place.length + 1));

  test('come sorted by name, numbers by their value, without what only describes them', async () => {
    expect(await names(place)).toEqual(['en/test.csv', 'en/train.csv', 'part-2.jsonl.gz', 'part-10.jsonl']);
    expect(await names(join(place, 'part-*'))).toEqual(['part-2.jsonl.gz', 'part-10.jsonl']);
    expect(await names(join(place, '**', '*.csv'))).toEqual(['en/test.csv', 'en/train.csv']);
    expect(await rowsOf(join(place, 'part-*'))).toEqual(['1 2', '1 10']);
  });

  test('what is passed over is known', async () => {
    expect(await folderRemarks(place)).toEqual({ passedOver: [], splits: ['train', 'test'] });
    save('../mixed/rows.csv', 'a\n1\n');
    for (const name of ['notes.txt', 'table.xlsx', 'README.md', 'pic.jpeg']) save(`../mixed/${name}`, 'x');
    expect(await folderRemarks(join(folder, 'mixed'))).toEqual({ passedOver: ['notes.txt', 'table.xlsx'], splits: [] });
    expect(await folderRemarks(join(folder, 'mixed', 'rows.csv'))).toEqual({ passedOver: [], splits: [] });
    // Among texts a README may be one of them.
    for (const name of ['a.md', 'README.md', 'LICENSE', '.hidden.md']) save(`../texts/${name}`, 'x');
    expect((await folderRemarks(join(folder, 'texts'))).passedOver).toEqual(['README.md']);
  });

  test('a split alone, or of the default subset, is one of all files', async () => {
    for (const split of ['train', 'validation', 'test']) save(`../side/${split}.jsonl`, `{"a":"${split}"}\n`);
    const splits = join(folder, 'side');
    expect(await names(`${splits}:train`)).toEqual(['train.jsonl']);
    expect(await names(`${splits}:test`)).toEqual(['test.jsonl']);
    expect(await names(`${splits}:dev`)).toEqual(['validation.jsonl']);
    expect(await names(`${splits}:default/test`)).toEqual(['test.jsonl']);
    await expect(names(`${splits}:fr/test`)).rejects.toMatchObject({
      code: 'subset-unknown',
      hint: 'It has no subsets: leave it out.',
    });
  });

  test('a subset is a folder in it, a split what a name says', async () => {
    expect(await names(`${place}:en`)).toEqual(['en/train.csv']);
    expect(await names(`${place}:en/test`)).toEqual(['en/test.csv']);
    await expect(names(`${place}:fr`)).rejects.toMatchObject({
      code: 'subset-unknown',
      hint: expect.stringContaining('en'),
    });
    await expect(names(`${place}:en/dev`)).rejects.toMatchObject({
      code: 'split-unknown',
      hint: expect.stringContaining('train'),
    });
  });

  test('several subsets follow one another as they are named, and all are every file of the split', async () => {
    save('../sets/en/train.csv', 'a\n1\n');
    save('../sets/de/train.csv', 'a\n2\n');
    save('../sets/de/test.csv', 'a\n3\n');
    save('../sets/fr/train.csv', 'a\n4\n');
    const sets = join(folder, 'sets');
    const rows = async (behind: string) => (await rowsOf(`${sets}:${behind}`)).map((row) => /"(\d)"/.exec(row)?.[1]);
    expect(await rows('en/de')).toEqual(['1', '2']);
    expect(await rows('fr/en/train')).toEqual(['4', '1']);
    expect(await rows('en/en')).toEqual(['1']);
    expect(await rows('all')).toEqual(['2', '1', '4']);
    expect(await rows('all/test')).toEqual(['3']);
    await expect(rows('en/dee')).rejects.toMatchObject({ hint: expect.stringContaining('Did you mean de?') });
    await expect(rows('ens/de')).rejects.toMatchObject({ code: 'subset-unknown' });
  });

  test('what is not there is said', async () => {
    await expect(names(join(place, '*.parquet'))).rejects.toThrow(/no file is called/);
    await expect(names(join(place, 'none'))).rejects.toThrow(/there is no /);
    await expect(names(join(place, 'notes'))).rejects.toMatchObject({ code: 'dataset-empty' });
  });
});

test.each([
  ['a slip', 'part10.jsonl', 'Did you mean part-10.jsonl?'],
  ['another kind', 'questions.jsonl', 'Did you mean questions.csv?'],
  ['another name', 'rows.csv', 'The files of HERE are part-10.jsonl, questions.csv.'],
  ['a pattern', '*.parquet', 'The files of HERE are part-10.jsonl, questions.csv.'],
  ['a folder too many', 'data/questions.csv', 'Did you mean HERE/questions.csv?'],
  ['a slip in a folder', 'modle/rows.csv', 'There is no folder HERE/modle. Did you mean HERE/model/rows.csv?'],
  ['a folder that is not there', 'elsewhere/rows.csv', 'There is no folder HERE/elsewhere.'],
  ['a hub', 'org/name', 'There is no folder HERE/org. A data set of the hub is hf:org/name.'],
  ['a folder without rows', 'model/rows.csv', 'HERE/model has no file of rows.'],
  [
    'a hub where files are read',
    'hf:a/b',
    'Data sets of hubs are read as data.sources[].from; here, name a file or folder of rows on this machine.',
  ],
  [
    'rows that a module makes',
    'made/briefs.jsonl',
    'briefs.ts beside it seems to make it; HERE/made/README.md may say how.',
  ],
  ['a module', 'made/brief.ts', 'Did you mean briefs.ts?'],
])('what was meant by a path at which nothing stands: %s', async (_, from, hint) => {
  const here = join(folder, 'meant');
  mkdirSync(join(here, 'model'), { recursive: true });
  mkdirSync(join(here, 'made'), { recursive: true });
  for (const name of ['part-10.jsonl', 'questions.csv', 'recipe.yaml', 'made/briefs.ts', 'made/README.md'])
    writeFileSync(join(here, name), 'a\n1\n');
  await expect(openParts({ from: join(here, from) })).rejects.toMatchObject({
    code: 'file-unreadable',
    hint: hint.replaceAll('HERE', here),
  });
});

test('an address is taken apart, in the words of ms-swift too', () => {
  const hub = (kind: string, revision: string) => ({ kind, id: 'org/name', revision });
  expect(parseSourceAddress('hf:org/name@v1.0:en/test#500')).toEqual({
    ...{ place: 'hf:org/name', hub: hub('hf', 'v1.0'), parts: ['en', 'test'], split: undefined, sample: 500 },
  });
  expect(parseSourceAddress('ms::org/name:all')).toMatchObject({ hub: hub('modelscope', 'master'), parts: ['all'] });
  expect(parseSourceAddress('hf:org/name@v1.0:en/de/fr#7')).toMatchObject({ parts: ['en', 'de', 'fr'], sample: 7 });
  expect(parseSourceAddress('hf:org/name/test:en/de')).toMatchObject({ parts: ['en', 'de'], split: 'test' });
  expect(parseSourceAddress('hf:org/name/validation')).toMatchObject({
    hub: hub('hf', 'main'),
    split: 'validation',
    parts: [],
  });
  expect(parseSourceAddress('/data/a#b.jsonl#20')).toMatchObject({ place: '/data/a#b.jsonl', hub: null, sample: 20 });
  for (const bad of ['hf:name', 'hf:../x', 'modelscope:a/b@x..y', 'rows.jsonl#0'])
    expect(() => parseSourceAddress(bad)).toThrow(expect.objectContaining({ code: 'bad-address' }));
});

describe('the files of a hub', () => {
  const paths = [
    ...['README.md', 'en/train-00000-of-00002.parquet', 'en/train-00001-of-00002.parquet', 'en/test.parquet'],
    ...['de/train.parquet', 'extra/notes.txt'],
  ];
  const select = (more: object) => selectDatasetFiles({ name: 'hf:a/b', paths, ...more });

  test('are chosen by folder and name', () => {
    expect(select({ parts: ['en'] })).toEqual(paths.slice(1, 3));
    expect(select({ parts: ['en', 'test'] })).toEqual(['en/test.parquet']);
    expect(select({})).toEqual(['de/train.parquet', ...paths.slice(1, 3)]);
    expect(selectDatasetFiles({ name: 'x', paths: ['b.jsonl', 'a.jsonl'] })).toEqual(['a.jsonl', 'b.jsonl']);
  });

  test('are chosen as the head of its README says', () => {
    const card = [
      '---\nlicense: mit\nconfigs:',
      '- config_name: default\n  data_files: [{split: train, path: "*/train-*"}, {split: test, path: en/test.parquet}]',
      '- config_name: german\n  data_dir: de\n  data_files: "*.parquet"',
      '---\n# A data set',
    ].join('\n');
    expect(select({ card })).toEqual(paths.slice(1, 3));
    expect(select({ card, split: 'test' })).toEqual(['en/test.parquet']);
    expect(select({ card, parts: ['german'] })).toEqual(['de/train.parquet']);
    expect(() => select({ card, parts: ['germen'] })).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('german') }),
    );
    expect(select({ card, parts: ['german', 'default'] })).toEqual(['de/train.parquet', ...paths.slice(1, 3)]);
    expect(select({ card, parts: ['all'] })).toEqual([...paths.slice(1, 3), 'de/train.parquet']);
    expect(() => select({ card, split: 'validation' })).toThrow(expect.objectContaining({ code: 'split-unknown' }));
  });

  test('a word that may be a split or a subset is refused with both readings', () => {
    const card = ['en', 'de', 'test']
      .map(
        (name) => `- config_name: ${name}\n  data_files: [{split: train, path: a}, {split: test, path: ${name}.csv}]`,
      )
      .join('\n');
    const select = (more: object) =>
      selectDatasetFiles({ name: 'hf:a/b', paths: ['en.csv', 'de.csv'], card: `---\nconfigs:\n${card}\n---`, ...more });
    expect(() => select({ parts: ['en', 'de', 'test'] })).toThrow(
      expect.objectContaining({
        code: 'subset-ambiguous',
        message: 'hf:a/b:en/de/test may be the split test of en/de, or the subsets en, de, test',
        hint: expect.stringContaining('hf:a/b/test:en/de'),
      }),
    );
    expect(select({ parts: ['en', 'de'], split: 'test' })).toEqual(['en.csv', 'de.csv']);
  });
});

describe('SQLite', () => {
  const file = join(folder, 'chats.db');
  const database = new DatabaseSync(file);
  database.exec('CREATE TABLE chats (id INTEGER, messages TEXT, score REAL, note TEXT, raw BLOB)');
  database.exec(
    `INSERT INTO chats VALUES (9007199254740993, '[{"role":"user"}]', 1.0, '[1]', x'00ff'), (2, NULL, 0.5, 'ü', NULL)`,
  );
  database.close();
  const query = 'SELECT * FROM chats ORDER BY id DESC;';

  test('gives rows of a query, big numbers and floats as they are', async () => {
    const rows = [
      '1 {"id":9007199254740993,"messages":[{"role":"user"}],"score":1.0,"note":"[1]","raw":"data:application/octet-stream;base64,AP8="}',
      '2 {"id":2,"messages":null,"score":0.5,"note":"ü","raw":null}',
    ];
    expect(await rowsOf(`sqlite:${file}`, { query })).toEqual(rows);
    expect(await rowsOf(`sqlite:${file}?query=SELECT%20*%20FROM chats ORDER BY id DESC`)).toEqual(rows);
    const [part] = await openParts({ from: `sqlite:${file}`, query });
    expect(await part?.statedRows()).toBe(2);
    expect(await reopenPart(part?.file ?? '')?.fingerprint()).toBe(await part?.fingerprint());
    expect(await part?.fingerprint()).toMatch(/^[0-9a-f]{64}$/);
  });

  test.each([
    ['SELECT *\nFORM chats', /near "FORM": syntax error at line 2, column 1 of the query \(FORM chats\)/],
    ['SELECT id, missing FROM chats', /no such column: missing at line 1, column 12/],
    ['SELECT id, id FROM chats', /two columns are called "id"/],
    ['DELETE FROM chats', /./],
  ])('%s is refused with its place', async (wrong, message) => {
    await expect(rowsOf(`sqlite:${file}`, { query: wrong })).rejects.toMatchObject({
      code: 'query-failed',
      message: expect.stringMatching(message),
    });
    expect(await rowsOf(`sqlite:${file}`, { query })).toHaveLength(2);
  });

  test('needs a query, and a file that is there', async () => {
    await expect(rowsOf(`sqlite:${file}`)).rejects.toThrow(/names a database and no query/);
    await expect(rowsOf(`sqlite:${file}.gone`, { query })).rejects.toMatchObject({ code: 'file-unreadable' });
  });
});

describe('PostgreSQL', () => {
  const from = 'postgres://postgres@127.0.0.1:5432/postgres';
  beforeEach(async (context: TestContext) => {
    const found = await rowsOf(from, { query: 'SELECT 1' }).catch(() => undefined);
    requireOrSkip(context, found, {
      kind: 'tool',
      reason: 'needs a PostgreSQL at 127.0.0.1:5432 that trusts postgres',
    });
  });

  test('gives rows through a cursor, as JSON that the database writes', async () => {
    const query = `SELECT n AS id, ARRAY[n, NULL] AS pair, 12.50::numeric AS price, '{"a": 1.0}'::jsonb AS facts,
      '[{"role": "user", "content": "a \\"b\\""}]'::text AS messages, '1.0' AS label FROM generate_series(1, 1203) AS n -- all`;
    const rows = await rowsOf(from, { query });
    expect(rows).toHaveLength(1203);
    expect(rows[1202]).toBe(
      '1203 {"id":1203,"pair":[1203,null],"price":12.50,"facts":{"a": 1.0},"messages":[{"role": "user", "content": "a \\"b\\""}],"label":1.0}',
    );
    const [part] = await openParts({ from, query });
    expect(await part?.statedRows()).toBe(1203);
  });

  test('says where a query is wrong, and changes nothing', async () => {
    await expect(rowsOf(from, { query: 'SELECT *\n  FROM "😀", gone' })).rejects.toMatchObject({
      code: 'query-failed',
      message: expect.stringMatching(/does not exist at line 2, column 8 of the query/),
    });
    await expect(rowsOf(from, { query: "SELECT set_config('a.b', 'c', false), nextval('x')" })).rejects.toThrow(/x/);
    await expect(rowsOf('postgres://postgres@127.0.0.1:1/none', { query: 'SELECT 1' })).rejects.toMatchObject({
      code: 'database-unreachable',
    });
  });
});

test('a password in an address is refused, and not shown', async () => {
  const refused = openParts({ from: 'postgres://me:secret@db/x', query: 'SELECT 1' });
  await expect(refused).rejects.toMatchObject({ code: 'password-in-address' });
  await expect(refused).rejects.not.toThrow(/secret/);
});

describe('a plug-in', () => {
  const save = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  test('gives rows, is told its options, and may say how many there are', async () => {
    const file = save(
      'good.mjs',
      `export default { name: 'count', count: ({ options }) => options.rows,
        async *open({ options, folder }) { for (let n = 0; n < options.rows; n++) yield { n, in: folder.length > 0 }; } };`,
    );
    const options = { rows: 3 };
    expect(await rowsOf(file, { options })).toEqual([0, 1, 2].map((n) => `${n + 1} {"n":${n},"in":true}`));
    const [part] = await openParts({ from: file, options });
    expect(await part?.statedRows()).toBe(3);
    expect(part?.kind).toBe('plugin');
    expect(reopenPart(file)).toBeNull();
  });

  test('that breaks says after which row', async () => {
    const file = save(
      'bad.mjs',
      `export default { name: 'bad', *open() { yield { a: 1 }; throw new Error('no more'); } };`,
    );
    await expect(rowsOf(file)).rejects.toMatchObject({
      code: 'source-plugin',
      message: expect.stringMatching(/bad.*after row 1: no more/),
    });
    await expect(rowsOf(save('none.mjs', 'export const x = 1;'))).rejects.toThrow(/no source as its default export/);
    await expect(rowsOf(save('broken.mjs', 'export default {'))).rejects.toThrow(/cannot be loaded/);
  });
});
