import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { runMartlet } from './test-context.ts';

const row = (n: number): string => JSON.stringify({ query: `q ${n}`, response: `a ${n}`, theme: n % 2 });

async function folder() {
  const cwd = mkdtempSync(join(tmpdir(), 'ledger-'));
  onTestFinished(() => rmSync(cwd, { recursive: true }));
  await writeFile(join(cwd, 'rows.jsonl'), [1, 2, 3, 4].map(row).join('\n'));
  await writeFile(
    join(cwd, 'recipe.yaml'),
    'name: a\nbase: hf:org/model\ndata: {sources: [{from: rows.jsonl}], split: {share: 0}}\n',
  );
  const env = { MARTLET_STORE: join(cwd, 'store'), MARTLET_HOME: join(cwd, 'home') };
  const martlet = (...argv: readonly string[]) => runMartlet([...argv], { cwd, env, columns: 200 });
  const build = async (steps: readonly object[]) =>
    expect(await martlet('data', 'build', 'recipe.yaml', '--set', `data.steps=${JSON.stringify(steps)}`)).toMatchObject(
      {
        exit: 0,
      },
    );
  return { cwd, martlet, build };
}

test('a dataset may be named by its recipe, and steps of one name are told apart', async () => {
  const { martlet, build } = await folder();
  expect(await martlet('data', 'ledger', 'recipe.yaml')).toMatchObject({
    exit: 1,
    err: expect.stringMatching(
      /no dataset of recipe\.yaml is there: none is called a.*\nfix .*martlet data build recipe\.yaml/,
    ),
  });
  await build([
    { step: 'duplicates', by: 'theme' },
    { step: 'map', set: { answer: 'answer | upper' } },
  ]);
  const { exit, out } = await martlet('data', 'ledger', 'recipe.yaml');
  expect(exit).toBe(0);
  expect(out).toMatch(/^a@1: 4 rows = 2 train \+ 2 duplicate$/m);
  expect(out).toMatch(/^duplicates 1 +4 +2 /m);
  expect(out).toMatch(/^duplicates 2 +2 +2 /m);
  expect(out).toMatch(/^2 duplicate at duplicates 1$/m);
  expect(out).toMatch(/^2 changed or remarked on at map\n {2}\S*rows\.jsonl:1 map: answer set$/m);
  expect((await martlet('data', 'why', 'rows.jsonl:3', '--dataset', 'recipe.yaml')).out).toContain(
    'duplicate at duplicates',
  );
});

test('a row that is nowhere is answered with the source that was meant', async () => {
  const { martlet, build } = await folder();
  await build([]);
  expect((await martlet('data', 'why', 'row.jsonl:2')).err).toContain('Did you mean rows.jsonl:2?');
  expect((await martlet('data', 'why', 'rows.jsonl:9')).err).toMatch(/is a source, but no row begins at its line 9/);
  expect((await martlet('data', 'why', 'elsewhere.csv:2')).err).toContain('The sources are rows.jsonl.');
});

test('rows that share a line are each told by what they say, and a path may lead up', async () => {
  const { cwd, martlet, build } = await folder();
  await writeFile(join(cwd, 'rows.json'), `[${[1, 2, 3].map(row).join(', ')}]`);
  await writeFile(join(cwd, 'recipe.yaml'), 'name: a\nbase: hf:org/model\ndata: {sources: [{from: rows.json}]}\n');
  await build([]);
  const { exit, out } = await martlet('data', 'why', '../rows.json:1');
  expect(exit).toBe(0);
  expect(out.match(/user: .*/g)).toEqual(['user: q 1', 'user: q 2', 'user: q 3']);
  expect(out.match(/assistant: .*/g)).toEqual(['assistant: a 1', 'assistant: a 2', 'assistant: a 3']);
});

test('a difference comes with its reason, whichever of the two has it', async () => {
  const { martlet, build } = await folder();
  await build([{ step: 'filter', keep: 'theme == 1' }]);
  await build([{ step: 'map', set: { answer: 'answer | upper' } }]);
  const { out } = await martlet('data', 'diff', 'a@1', 'a@2');
  expect(out).toMatch(/^2 another fate: filtered → train\n {2}\S*rows\.jsonl:2 {2}was: does not hold: theme == 1$/m);
  expect(out).toMatch(/^2 says something else: train\n {2}\S*rows\.jsonl:1 {2}map: answer set$/m);
  const back = await martlet('data', 'diff', 'a@2', 'a@1');
  expect(back.out).toMatch(/^2 another fate: train → filtered\n {2}\S*rows\.jsonl:2 {2}does not hold: theme == 1$/m);
  expect(back.out).toMatch(/^ {2}\S*rows\.jsonl:1 {2}no longer: map: answer set$/m);
});

test('whoever traces a dataset is told what shows its rows', async () => {
  const { martlet, build } = await folder();
  await build([]);
  const { exit, err } = await martlet('trace', 'a@1');
  expect(exit).toBe(1);
  expect(err).toMatch(/\(a@1 names dataset\) \[answer-missing\]\nfix .*martlet data ledger a@1/);
  expect((await martlet('trace', 'a@1', '--step', '1')).err).toMatch(/there is no run a@1 .*\(a@1 names dataset\)/);
});

test('the rows of a fate are listed, each with its reason', async () => {
  const { cwd, martlet, build } = await folder();
  await writeFile(join(cwd, 'rows.jsonl'), [row(1), '{"query": 1', row(3), row(1)].join('\n'));
  const refused = await martlet('data', 'build', 'recipe.yaml');
  expect(refused).toMatchObject({ exit: 2, err: expect.stringContaining('1 of 4 rows cannot be used') });
  await writeFile(
    join(cwd, 'recipe.yaml'),
    'name: a\nbase: hf:org/model\ndata: {sources: [{from: rows.jsonl}], split: {share: 0}, budget: {dropped: 0.5}}\n',
  );
  await build([]);
  const invalid = await martlet('data', 'ledger', 'a', '--rows', 'invalid');
  expect(invalid.out).toMatch(/^\S*rows\.jsonl:2 {2}invalid at read \(not-json\) {2}.*\n$/);
  const all = await martlet('data', 'ledger', 'a', '--rows', 'all', '--json');
  const entries = all.out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(entries.map(({ line, fate }) => [line, fate])).toEqual([
    [1, 'train'],
    [2, 'invalid'],
    [3, 'train'],
    [4, 'duplicate'],
  ]);
  const wrong = await martlet('data', 'ledger', 'a', '--rows', 'invalit');
  expect(wrong.exit).toBe(2);
  expect(wrong.err).toContain('invalid');
});

test('rows that are new, gone or edited are told by what they say', async () => {
  const { cwd, martlet, build } = await folder();
  await build([]);
  const edited = row(2).replace('a 2', 'another answer');
  await writeFile(join(cwd, 'rows.jsonl'), [row(1), edited, row(3)].join('\n'));
  await build([]);
  const { out } = await martlet('data', 'diff', 'a@1', 'a@2');
  expect(out).toMatch(/^1 gone: train\n {2}\S*rows\.jsonl:4 {2}q 4 \| a 4$/m);
  expect(out).toMatch(/^1 edited: train\n {2}\S*rows\.jsonl:2 {2}q 2 \| a 2 → q 2 \| another answer$/m);
  expect(out).toContain('2 rows as before');
  expect(out).not.toContain('new:');
  const back = await martlet('data', 'diff', 'a@2', 'a@1', '--json');
  expect(JSON.parse(back.out)).toMatchObject({
    same: 2,
    groups: [
      { what: 'added', rows: 1, examples: [{ text: 'q 4 | a 4' }] },
      { what: 'edited', rows: 1, examples: [{ text: 'q 2 | another answer → q 2 | a 2' }] },
    ],
  });
});

test('a row tells how it was read, and is found by the address of its source', async () => {
  const { cwd, martlet } = await folder();
  const database = new DatabaseSync(join(cwd, 'news.db'));
  database.exec("create table t(ask text, tell text); insert into t values ('q 1', 'a 1'), ('q 2', 'a 2')");
  database.close();
  await writeFile(
    join(cwd, 'recipe.yaml'),
    [
      'name: a',
      'base: hf:org/model',
      'data:',
      "  sources: [{ from: 'sqlite:news.db', query: SELECT * FROM t, columns: { ask: query, tell: response } }]",
      '  split: { share: 0 }',
    ].join('\n'),
  );
  expect((await martlet('data', 'build', 'recipe.yaml')).exit).toBe(0);
  for (const place of ['news.db:2', 'sqlite:news.db:2', 'sqlite:./news.db:2']) {
    const { exit, out } = await martlet('data', 'why', place);
    expect(exit, place).toBe(0);
    expect(out).toMatch(/^ {2}read as {3}query; columns: ask as query, tell as response$/m);
    expect(out).toContain('user: q 2');
  }
  expect((await martlet('data', 'why', 'postgres:news.db:2')).exit).toBe(1);
});
