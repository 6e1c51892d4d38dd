import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { walkRecipe } from '../../src/cli/walk-recipe.ts';
import { readRecipe, resolvePlan } from '../../src/recipe/index.ts';
import type { Json } from '../../src/schema/common.ts';
import { openShards } from '../../src/store/shards/shard-reader.ts';
import { writeTinyModel } from '../../src/testing/tiny-model.ts';
import { swiftOptions } from '../../tools/generate/swift-options.ts';
import { scratchContext } from '../support/scratch-recipe.ts';

const folder = mkdtempSync(join(tmpdir(), 'martlet-swift-'));
const hub = createServer((request, response) => response.end(hubAnswer(request.url ?? '')));

beforeAll(async () => {
  await writeTinyModel(join(folder, 'base'), { seed: 4, headDim: 16 });
  for (const [name, content] of Object.entries(files)) save(name, content);
  hub.listen(0, '127.0.0.1');
  await once(hub, 'listening');
});
afterAll(() => {
  hub.close();
  rmSync(folder, { recursive: true });
});

function save(name: string, content: string | Uint8Array): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), content);
}

const lines = (count: number, row: (index: number) => object): string =>
  Array.from({ length: count }, (_, index) => `${JSON.stringify(row(index))}\n`).join('');
const chat = (question: string, answer = `It is ${question}.`, more: object = {}, control: object = {}) => ({
  messages: [
    { role: 'user', content: question },
    { role: 'assistant', content: answer, ...control },
  ],
  ...more,
});
const words = (count: number): string => Array.from({ length: count }, (_, index) => `w${index}`).join(' ');

/** What the recipes of the page name. */
const files: Readonly<Record<string, string | Uint8Array>> = {
  'rows.jsonl': lines(20, (index) =>
    chat(`row ${index}`, undefined, { topic: index % 4 === 0 ? 'birds' : `t${index}` }),
  ),
  'tickets.csv.gz': gzipSync('query,response,system\nwhere,here,\nwhen,"now, or then",brief\n'),
  'book.txt': Array.from({ length: 40 }, (_, index) => `Line ${index} of the book. ${words(4)}`).join('\n'),
  'folder/part-2.jsonl': lines(6, (index) => chat(`second ${index}`)),
  'folder/part-10.jsonl': lines(6, (index) => chat(`tenth ${index}`)),
  'self.jsonl': lines(20, (index) => chat(`Who are you, ${index}?`, 'I am {{NAME}} of {{AUTHOR}}.')),
  'questions.jsonl': lines(8, (index) => ({ Frage: `Was ist ${index}?`, Antwort: `Es ist ${index}.` })),
  'both.jsonl': lines(8, (index) => ({ ...chat(`a ${index}`), instruction: `b ${index}`, output: 'c' })),
  'spoilt.jsonl': `${lines(39, (index) => chat(`row ${index}`))}{"messages": [\n`,
  'long.jsonl': `${lines(19, (index) => chat(`row ${index}`))}${JSON.stringify(chat(words(60), 'short'))}\n`,
  'lengthy.jsonl': `${lines(19, (index) => chat(`row ${index}`))}${JSON.stringify(chat('q', words(60)))}\n`,
  'weighted.jsonl': lines(8, (index) =>
    chat(`row ${index}`, 'a', {}, index % 2 ? { loss: true } : { loss_scale: 0.5 }),
  ),
  'own-source.mjs': `export default { name: 'own', *open({ options }) {
    for (let n = 0; n < options.rows; n++) yield { query: 'q' + n, response: 'r' + n };
  } };`,
};

/** A data set with subsets, as both hubs would serve it. */
const published: Readonly<Record<string, string>> = {
  'de/train.jsonl': lines(20, (index) => ({ ask: `q ${index}`, tell: `a ${index}` })),
  'en/train.jsonl': lines(20, (index) => ({ query: `q ${index}`, response: `a ${index}` })),
  'fr/train.jsonl': lines(8, (index) => ({ query: `fr ${index}`, response: `r ${index}` })),
};

function hubAnswer(url: string): string {
  const sizes = Object.entries(published).map(([name, text]) => [name, text, Buffer.byteLength(text)] as const);
  const path = Object.keys(published).find((name) => decodeURIComponent(url).includes(name));
  if (path !== undefined) return published[path] ?? '';
  const hash = (kind: string, text: string): string => createHash(kind).update(text).digest('hex');
  return JSON.stringify({
    sha: 'c'.repeat(40),
    siblings: sizes.map(([rfilename, text, size]) => ({
      rfilename,
      size,
      blobId: hash('sha1', `blob ${size}\0${text}`),
    })),
    Code: 200,
    Data: { Files: sizes.map(([Path, text, Size]) => ({ Path, Type: 'blob', Size, Sha256: hash('sha256', text) })) },
  });
}

/** A recipe that a line of the page is put over. */
const whole = {
  name: 'a',
  base: './base',
  data: { sources: [{ from: 'rows.jsonl' }] },
  adapter: { kind: 'lora', rank: 4 },
  train: { maxSteps: 1, rowsPerStep: 2 },
  eval: { tasks: [] as string[] },
  export: { formats: ['adapter'], certifyRows: 1 },
  execution: { threads: 1 },
};

function putOver(under: Json, over: Json): Json {
  const isSection = (value: Json): value is { [key: string]: Json } =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isSection(under) || !isSection(over)) return over;
  const members = Object.entries(over).map(([key, value]) => [key, putOver(under[key] ?? null, value)]);
  return { ...under, ...Object.fromEntries(members) };
}

function textOf(recipe: string): string {
  const over = parse(recipe) as { readonly data?: { readonly split?: Json } };
  const split = over.data?.split === undefined ? { data: { split: { share: 0.2 } } } : {};
  return JSON.stringify(putOver(putOver(whole, over as Json), split), null, 1);
}

const isAgent = ({ part }: (typeof swiftOptions)[number]): boolean => part === 'agent templates';
const built = swiftOptions.filter((option) => !isAgent(option) && option.recipe !== undefined);

describe('a recipe of the page is built', () => {
  test.each(built.map((option, index) => ({ ...option, index })))('$theirs', async ({ recipe = '', index }) => {
    const place = join(folder, `recipe-${index}.yaml`);
    writeFileSync(place, textOf(recipe));
    const endpoint = `http://127.0.0.1:${(hub.address() as AddressInfo).port}`;
    const context = scratchContext(folder);
    const env = { HF_ENDPOINT: endpoint, MODELSCOPE_DOMAIN: endpoint, HF_HOME: join(folder, 'hf') };
    const { walk } = await walkRecipe(
      { ...context, env: { ...context.env, ...env, MARTLET_HOME: join(folder, 'home') } },
      { file: place, flags: [], last: 'shard' },
    );
    expect(walk.dataset?.lineage.facts.rowsIn).toBeGreaterThan(1);
    using shards = await openShards(walk.shards?.folder ?? '');
    expect(shards.manifest.splits.train.documents).toBeGreaterThan(0);
  });
});

test.each(swiftOptions.filter(isAgent))('$theirs is read', ({ recipe = '' }) => {
  const read = readRecipe({ text: textOf(recipe), file: 'recipe.yaml', flags: [] });
  const plan = read.ok ? resolvePlan({ ...read.value, facts: {}, resolvePath: (path) => path }) : read;
  expect(plan.ok && plan.value.values.render.agent).toBe(
    (parse(recipe) as typeof whole & { render: { agent: string } }).render.agent,
  );
});

test.each(swiftOptions.filter(({ refused }) => refused !== undefined))('$theirs is refused', ({ refused = '' }) => {
  const read = readRecipe({ text: textOf(refused), file: 'recipe.yaml', flags: [] });
  expect(read.ok ? [] : read.issues.map(({ code }) => code)).toEqual(['unknown-key']);
});
