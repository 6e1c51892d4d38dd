import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readRecipe } from '../../src/recipe/index.ts';
import { type OpenDocument, openYamlEditor } from '../support/yaml-editor.ts';

const editor = await openYamlEditor();
afterAll(() => editor[Symbol.asyncDispose]());

const folder = resolve('recipes');
const reference = '# yaml-language-server: $schema=../schema/recipe.schema.json';
let count = 0;

/** A recipe below the line that names its schema, so that its first line is line 1. */
const open = (text: string): OpenDocument =>
  editor.open({ file: join(folder, `${++count}.yaml`), text: `${reference}\n${text}` });

const problems = async (document: OpenDocument): Promise<string[]> =>
  (await document.diagnostics()).map(({ message, range }) => `${range.start.line}: ${message}`);

const minimal = 'name: notes\nbase: hf:org/name\ndata:\n  sources: [{ from: rows.jsonl }]\n';

test('the recipes that come with it are as their schema says', async () => {
  const recipes = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.yaml'));
  expect(recipes).not.toEqual([]);
  for (const recipe of recipes) {
    const file = join(folder, recipe);
    expect(await problems(editor.open({ file, text: readFileSync(file, 'utf8') })), recipe).toEqual([]);
  }
});

test.each([
  ['', []],
  ['train:\n  learnigRate: 1e-4\n', ['6: Property learnigRate is not allowed.']],
  ['train:\n  epochs: many\n', ['6: Incorrect type. Expected "number".']],
  ['train:\n  schedule: cosin\n', ['6: Value is not accepted. Valid values: "cosine", "linear", "constant".']],
  ['trian: {}\n', ['5: Property trian is not allowed.']],
  ['adapter:\n  kind: lora\n  rank: 0\n', ['7: Value is below the minimum of 1.']],
])('an editor marks what the command line refuses: %j', async (text, expected) => {
  const recipe = minimal + text;
  expect(await problems(open(recipe))).toEqual(expected);
  expect(readRecipe({ text: recipe, file: 'recipe.yaml', flags: [] }).ok).toBe(expected.length === 0);
});

test('it completes the keys of a section, those that are there left out, and explains each', async () => {
  const items = await open(`${minimal}train:\n  epochs: 2\n  \n`).completions({ line: 7, character: 2 });
  const labels = items.map(({ label }) => label);
  expect(labels).toEqual(expect.arrayContaining(['learningRate', 'rowsPerStep', 'schedule', 'warmup', 'seed']));
  expect(labels).not.toContain('epochs');
  for (const { label, documentation } of items)
    expect(typeof documentation === 'string' ? documentation : documentation?.value, label).toMatch(/\w+ \w+/);
});

test('it explains a key that is pointed at, with its default', async () => {
  const hover = await open(`${minimal}train:\n  warmup: 0.1\n`).hover({ line: 6, character: 4 });
  expect(hover).toContain('Share of steps over which it rises');
  expect(hover).toContain('Default: 0.03.');
});
