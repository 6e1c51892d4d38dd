import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runMartlet } from '../../src/cli/test-context.ts';
import { report } from '../../src/schema/report.ts';
import { interruptedAt, startMartlet, writeTinyRecipe } from '../support/tiny-recipe.ts';

// Ctrl-C in every command that takes long: nothing went wrong, so it is no error; what is kept is said, and holds.
let folder = '';
let recipe = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'martlet-interrupted-'));
  recipe = await writeTinyRecipe(folder, { rows: 400, train: '{ maxSteps: 2, rowsPerStep: 4 }' });
  await appendFile(
    recipe,
    'eval: { tasks: [heldout-loss, exact-match], rows: 40, maxTokens: 64 }\nexport: { formats: [adapter, safetensors] }\n',
  );
});
afterAll(() => rm(folder, { recursive: true }));

const store = (name: string): string => join(folder, name);

/** Runs a command that is interrupted when it says `text`, or one that nothing disturbs. */
async function martlet(args: readonly string[], text?: string) {
  const env = text === undefined ? {} : interruptedAt(text);
  const { code, err, out } = await startMartlet(args, { env }).ended;
  expect(err).not.toContain('error ');
  return { code, err, out };
}

test.each([
  ['data', 'shard', 'plan     tiny@1', 'pieces of rows'],
  ['shard', 'shard', 'dataset  tiny@1', 'rows that are encoded'],
  ['eval', 'eval', 'run      tiny@1', 'its answers so far'],
  ['export', 'export', 'Exporting safetensors', 'nothing of it'],
])(
  'in %s it says what is kept, ends with 130, and the same command comes to its end',
  async (stage, verb, text, kept) => {
    const args = ['--store', store(`at-${stage}`), verb, recipe];
    const { code, err } = await martlet(args, text);
    expect(code, err).toBe(130);
    expect(err).toMatch(
      new RegExp(`stop +stopped during ${stage}; .*${kept}.* kept \\[stopped\\]\nnext +Give the same`),
    );
    expect((await martlet(args)).code).toBe(0);
  },
);

test('an evaluation goes on behind its answers, to the report of one that nothing disturbed', async () => {
  const [whole, broken] = [store('whole'), store('broken')];
  expect((await martlet(['--store', whole, 'eval', recipe])).code).toBe(0);
  const interrupted = await martlet(['--store', broken, 'eval', recipe], 'answers of base');
  expect(interrupted.code, interrupted.err).toBe(130);
  const [work = ''] = await readdir(join(broken, 'work'));
  const kept = await readFile(join(broken, 'work', work, 'answers.jsonl'), 'utf8');
  expect(JSON.parse(kept.split('\n')[0] ?? '')).toMatchObject({ batch: 'base 0', answers: { length: 16 } });
  expect((await martlet(['--store', broken, 'eval', recipe])).code).toBe(0);
  const made = async (root: string) => ({
    report: { ...report.parse(JSON.parse(await text(root, 'report.json'))), seconds: 0, lossCurve: [] },
    samples: await text(root, 'samples.jsonl'),
  });
  const text = (root: string, file: string) => readFile(join(root, 'reports/tiny@1', file), 'utf8');
  expect(await made(broken)).toEqual(await made(whole));
  expect(await readdir(join(broken, 'work'))).toEqual([]);
});

test('infer says how many rows are answered and goes on behind them; serve ends as a server does', async () => {
  const input = join(folder, 'questions.csv');
  const questions = Array.from({ length: 24 }, (_, index) => `the price of month ${index},`);
  await writeFile(input, ['query,response', ...questions, ''].join('\n'));
  const output = join(folder, 'answers.jsonl');
  const model = ['--base', join(folder, 'model')];
  const args = [
    '--store',
    store('infer'),
    'infer',
    ...model,
    '--input',
    input,
    '--output',
    output,
    '--max-tokens',
    '8',
  ];
  const { code, err } = await martlet(args, 'of 24 rows answered');
  expect(code, err).toBe(130);
  const answered = Number(
    /stopped: (\d+) of 24 rows are answered, and stand in .*answers\.jsonl \[stopped\]/.exec(err)?.[1],
  );
  expect((await readFile(output, 'utf8')).trim().split('\n')).toHaveLength(answered);
  const again = await martlet(args);
  expect(again.err).toContain(`${answered} of 24 rows are answered already`);
  expect((await readFile(output, 'utf8')).trim().split('\n')).toHaveLength(24);

  const controller = new AbortController();
  const served = await runMartlet(['serve', ...model, '--port', '0'], {
    cwd: folder,
    env: { ...process.env, MARTLET_STORE: store('infer') },
    signal: controller.signal,
    out: (said) => {
      if (said.includes('Serving')) controller.abort(new DOMException('interrupted', 'AbortError'));
    },
  });
  expect(served).toMatchObject({ exit: 0, err: expect.stringContaining('every answer it gave is on record') });
});
