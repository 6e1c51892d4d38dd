import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { writeTinyModel } from '../testing/tiny-model.ts';
import { runMartlet } from './test-context.ts';

const good = JSON.stringify({
  messages: [
    { role: 'user', content: 'q' },
    { role: 'assistant', content: 'a' },
  ],
});

async function build(cwd: string, base: string, ...flags: readonly string[]) {
  const env = { MARTLET_STORE: join(cwd, 'store'), MARTLET_HOME: join(cwd, 'home') };
  return runMartlet(['data', 'build', 'recipe.yaml', '--base', base, ...flags], { cwd, env });
}

async function folderWith(rows?: string): Promise<string> {
  const cwd = mkdtempSync(join(tmpdir(), 'data-build-'));
  onTestFinished(() => rmSync(cwd, { recursive: true }));
  const recipe =
    'name: a\nbase: hf:org/name\ndata:\n  sources: [{from: rows.jsonl}]\neval: {tasks: []}\nexport: {formats: []}\n';
  await writeFile(join(cwd, 'recipe.yaml'), recipe);
  if (rows !== undefined) await writeFile(join(cwd, 'rows.jsonl'), rows);
  return cwd;
}

test('a source that is missing is said at its place before any base model is fetched', async () => {
  const { exit, err } = await build(await folderWith(), 'pypi:no-such-package');
  expect(exit).toBe(2);
  expect(err).toMatch(/recipe\.yaml:4:20 data\.sources\[0\]\.from: there is no .*rows\.jsonl/);
  expect(err).not.toContain('Fetching');
});

test('a build that fails leaves no version of anything behind', async () => {
  const cwd = await folderWith(`${good}\n{"messages": [{"role": "nobody", "content": "q"}]}\n`);
  await writeTinyModel(join(cwd, 'tiny'), { seed: 1 });
  const { exit, err } = await build(cwd, 'tiny');
  expect(exit).toBe(2);
  expect(err).toMatch(/rows\.jsonl:2:1 messages\[0\]\.role: .*\[role-unknown\] \[loss-budget\]/);
  const versions = await Promise.all(
    ['plans', 'datasets'].map((kind) => readdir(join(cwd, 'store', kind)).catch(() => [])),
  );
  expect(versions.flat().filter((name) => /@\d+$/.test(name))).toEqual([]);
});

test('all that rows get wrong is told at once, before a base model is fetched', async () => {
  const rows = [1, 2, 3, 4].map((n) => good.replace('"q"', `"question ${n}"`));
  const cwd = await folderWith([...rows, '{"messages": 3'].join('\n'));
  const steps = (...keep: readonly string[]) => [
    '--set',
    `data.steps=${JSON.stringify(keep.map((each) => ({ step: 'filter', keep: each })))}`,
  ];
  const train = async (...flags: readonly string[]) => {
    const env = { MARTLET_STORE: join(cwd, 'store'), MARTLET_HOME: join(cwd, 'home') };
    const argv = ['train', 'recipe.yaml', '--base', 'pypi:no-such-package', ...flags];
    const { exit, err } = await runMartlet(argv, { cwd, env });
    expect(exit).toBe(2);
    expect(err).not.toMatch(/no-such-package|Fetching/);
    return err;
  };
  const some = await train(...steps("'question 1' in question"));
  expect(some).toContain('1 of 2 rows cannot be used (1 not-json); the budget allows 0 % (not counted: 3 filtered).');
  expect(some).toMatch(/^ {4}\S*rows\.jsonl:5:15 .*\[not-json\] \[loss-budget\]/m);
  const none = await train(...steps("topic == 'x'"));
  expect(none).toContain('has 3 problems:');
  expect(none).toMatch(/No row is left to train on: 4 filtered\./);
  expect(none).toMatch(/rows\.jsonl:5:15 .*\[not-json\]/);
  expect(none).toMatch(/none of the 4 rows that come to this step has the column topic/);
});

test('rows are built without their base model, which nothing fetches', async () => {
  const { exit, err } = await build(await folderWith(`${good}\n`), 'pypi:no-such-package');
  expect(err).toMatch(/^dataset +a@1 /m);
  expect(err).not.toContain('no-such-package');
  expect(exit).toBe(0);
});

test('rows that changed since the last build are told of, once', async () => {
  const cwd = await folderWith(`${good}\n`);
  await writeTinyModel(join(cwd, 'tiny'), { seed: 1 });
  const changed = /rows\.jsonl changed since a@(\d) was built: the next version is made\n/;
  expect((await build(cwd, 'tiny')).err).not.toMatch(changed);
  await writeFile(join(cwd, 'rows.jsonl'), good.replace('"q"', '"another"'));
  const { err } = await build(cwd, 'tiny');
  expect(changed.exec(err)?.[1]).toBe('1');
  expect(err).toMatch(/^dataset +a@2 /m);
  expect((await build(cwd, 'tiny')).err).not.toMatch(changed);
});

test('a file that a step reads, or is, makes another version when it changes', async () => {
  const rows = [1, 2, 3].map((n) => `${good.replace('"q"', `"the ${n} of many words in one row"`)}\n`).join('');
  const cwd = await folderWith(rows);
  const own = (word: string): string => `export const step = {
    name: 'own', version: 1, options: { safeParse: (data) => ({ success: true, data }) },
    open: () => ({ kind: 'rows', apply: (sample) => JSON.stringify(sample).includes('${word}')
      ? { drop: { fate: 'filtered', code: 'own', reason: 'has it' } } : null }),
  };`;
  await writeFile(join(cwd, 'own.mjs'), own('the 3'));
  await writeFile(join(cwd, 'tests.txt'), 'nothing of this\n');
  const steps = 'data.steps=[{step: contamination, against: [tests.txt], words: 7}, {module: ./own.mjs}]';
  const built = async (): Promise<string> =>
    (await build(cwd, 'pypi:no-such-package', '--set', steps, '--set', 'data.split.share=0')).err;
  expect(await built()).toMatch(/^dataset +a@1 +3 rows: 2 train, 1 filtered/m);
  await writeFile(join(cwd, 'tests.txt'), 'the 1 of many words in one row\n');
  const second = await built();
  expect(second).toMatch(/tests\.txt changed since a@1 was built/);
  expect(second).toMatch(/^dataset +a@2 +3 rows: .*1 contaminated/m);
  await writeFile(join(cwd, 'own.mjs'), own('the 2'));
  const third = await built();
  expect(third).toMatch(/own\.mjs changed since a@2 was built/);
  expect(third).toMatch(/^dataset +a@3 /m);
  expect(await built()).toMatch(/^dataset +a@3 .*made before/m);
  await writeFile(join(cwd, 'own.mjs'), `import './helper.mjs';\n${own('the 2')}`);
  await writeFile(join(cwd, 'helper.mjs'), '');
  expect(await built()).toMatch(/^dataset +a@4 /m);
  await writeFile(join(cwd, 'helper.mjs'), 'export const other = 1;');
  const fifth = await built();
  expect(fifth).toMatch(/helper\.mjs changed since a@4 was built/);
  expect(fifth).toMatch(/^dataset +a@5 /m);
});

test('what decides how rows are read is never taken from a build that read them otherwise', async () => {
  const turns =
    '{"messages": [{"role": "user", "content": "q"}, {"role": "user", "content": "r"}, {"role": "assistant", "content": "a"}]}';
  const cwd = await folderWith(`${good}\n${turns}\n`);
  const built = async (value: string): Promise<string> =>
    (await build(cwd, 'pypi:no-such-package', '--set', `data.turns=${value}`, '--set', 'data.split.share=0')).err;
  expect(await built('keep')).toMatch(/2 rows: 2 train/);
  expect(await built('drop')).toMatch(/2 rows: 1 train, 1 filtered/);
  expect(await built('refuse')).toMatch(/\[turns-out-of-order\]/);
  expect(await built('keep')).toMatch(/2 rows: 2 train/);
});

test('a build says what it took from the last one, in a line and as JSON', async () => {
  const cwd = await folderWith([1, 2, 3, 4].map((n) => `${good.replace('"q"', `"question ${n}"`)}\n`).join(''));
  await writeTinyModel(join(cwd, 'tiny'), { seed: 1 });
  const steps = (...than: readonly number[]): string =>
    `data.steps=${JSON.stringify(than.map((length) => ({ step: 'filter', keep: `question | length > ${length}` })))}`;
  const first = await build(cwd, 'tiny', '--set', steps(0, 1));
  expect(first.err).toContain('pieces   3 done, none of an earlier build\n');
  const second = await build(cwd, 'tiny', '--set', steps(0, 2), '--json');
  expect(second.err).toContain('pieces   2 of 3 as the last build left them; done again: data.steps[1] (filter)\n');
  expect(JSON.parse(second.out).pieces).toEqual([
    { step: 'read', pieces: 1, taken: 1 },
    { step: 'filter', pieces: 1, taken: 1 },
    { step: 'filter', pieces: 1, taken: 0 },
  ]);
});
