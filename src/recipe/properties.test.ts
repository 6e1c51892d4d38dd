import { describe, expect, test } from 'vitest';
import { formatIssue, formatPath } from '../core/issue.ts';
import { randomStream, shuffled, streamKey } from '../core/random.ts';
import type { Json } from '../schema/common.ts';
import { type Plan, plan as planSchema } from '../schema/plan.ts';
import type { Facts } from './facts.ts';
import { withValue } from './flags.ts';
import { recipeJsonSchema, type SchemaNode } from './json-schema.ts';
import type { Path } from './places.ts';
import { readRecipe } from './read-recipe.ts';
import { resolvePlan } from './resolve-plan.ts';
import { branchesOf, valueAt } from './schema-fields.ts';
import { exampleFacts, smallModel } from './testing/example-facts.ts';
import { randomValue } from './testing/random-value.ts';

const seeds = Array.from({ length: 80 }, (_, seed) => seed);
const resolvePath = (path: string): string => `/recipes/${path}`;

/** JSON is YAML, so any value can be a recipe file. */
function planOf(value: Json, { flags = [], facts = exampleFacts }: { flags?: string[]; facts?: Facts } = {}) {
  const read = readRecipe({ text: JSON.stringify(value), file: 'recipe.yaml', flags });
  if (!read.ok) throw new Error(read.issues.map(formatIssue).join('\n'));
  return resolvePlan({ ...read.value, facts, resolvePath });
}

function randomRecipe(seed: number): Json {
  return randomValue(recipeJsonSchema(), randomStream(streamKey(seed, 1)));
}

function sound(seed: number): { recipe: Json; plan: Plan } | undefined {
  const recipe = randomRecipe(seed);
  const plan = planOf(recipe);
  return plan.ok ? { recipe, plan: plan.value } : undefined;
}

const soundRecipes = seeds.flatMap((seed) => sound(seed) ?? []);

test('what the schema allows is read, and most of it fits together', () => {
  expect(soundRecipes.length).toBeGreaterThan(15);
});

test('every plan keeps to its schema, and notes an origin for each value and for nothing else', () => {
  for (const { plan } of soundRecipes) {
    expect(planSchema.parse(plan)).toEqual(plan);
    const { engineReason: _, ...execution } = plan.execution;
    const { values, predictions } = plan;
    expect(Object.keys(plan.origins).sort()).toEqual(leaves({ ...values, execution, predictions }).sort());
  }
});

test('the hash depends on no order of keys', () => {
  for (const [index, { recipe, plan }] of soundRecipes.entries()) {
    const again = planOf(reordered(recipe, index));
    expect(again.ok && again.value.hash).toBe(plan.hash);
  }
});

test('the hash depends on nothing that decides where, how fast, or what is done with the result', () => {
  const elsewhere: Facts = {
    ...exampleFacts,
    machine: { cores: 64, memoryGiB: 512, platform: 'linux-arm64', accelerator: 'an accelerator' },
    throughput: { flopsPerSecond: 1e15 },
    rows: { train: 9999, heldout: 9 },
    tokens: { train: 1e6, learned: 10, longest: 3 },
  };
  const flags = [
    'execution.engine=embedded',
    'execution.threads=7',
    'execution.memoryGiB=3',
    'train.packTokens=333',
    'train.checkpointEvery=7',
    'train.keepCheckpoints=9',
    'notes=other',
    // How the result is measured, and how it leaves.
    'eval.rows=3',
    'eval.maxTokens=9',
    'export.tolerance=0.5',
  ];
  for (const { recipe, plan } of soundRecipes) {
    const moved = planOf(recipe, { facts: elsewhere });
    expect(moved.ok && moved.value.hash).toBe(plan.hash);
    const executed = planOf(recipe, { flags });
    expect(executed.ok && executed.value.hash).toBe(plan.hash);
  }
});

test('a fact that is missing refuses nothing and decides nothing, and what hangs on it is unknown', () => {
  for (const { recipe, plan } of soundRecipes) {
    const unknown = planOf(recipe, { facts: { model: smallModel } });
    if (!unknown.ok) throw new Error(unknown.issues.map(formatIssue).join('\n'));
    expect(unknown.value.hash).toBe(plan.hash);
    expect(unknown.value.predictions).toMatchObject({ rows: 'unknown', steps: 'unknown', trainSeconds: 'unknown' });
    const nothing = planOf(recipe, { facts: {} });
    expect(nothing.ok && nothing.value.predictions.peakMemoryGiB).toBe('unknown');
  }
});

test('the hash depends on what decides the result', () => {
  for (const { recipe, plan } of soundRecipes) {
    const other = planOf(recipe, { flags: [`train.seed=${plan.values.train.seed === 7 ? 8 : 7}`] });
    expect(other.ok && other.value.hash).not.toBe(plan.hash);
  }
});

describe('a flag', () => {
  const plain: Json = {
    name: 'a',
    base: 'hf:a/b',
    data: { sources: [{ from: 'rows.jsonl' }], split: { by: 'year' } },
  };
  const paths = settable(recipeJsonSchema(), []);

  test('reaches every field there is', () => {
    expect(paths.length).toBeGreaterThan(45);
  });

  test.each(paths.map(([path, value]) => [formatPath(path), path, value] as const))(
    '--set %s lands in the plan, as the same value in the recipe does',
    (name, path, value) => {
      const flagged = planOf(plain, { facts: {}, flags: [`${name}=${JSON.stringify(value)}`] });
      const written = planOf(withValue(plain, path, value), { facts: {} });
      if (!flagged.ok || !written.ok) throw new Error('the example is not sound');
      expect(flagged.value.values).toEqual(written.value.values);
      expect(flagged.value.execution).toEqual(written.value.execution);
      if (name === 'notes') return expect(flagged.value.notes).toEqual(value);
      const planPath = pathInPlan(name);
      expect(flagged.value.origins[planPath]).toEqual({ origin: 'flag' });
      expect(written.value.origins[planPath]).toEqual({ origin: 'recipe' });
      return undefined;
    },
  );
});

test('no text makes reading fail, and each issue has a place', () => {
  const text = [
    '# yaml-language-server: $schema=recipe.schema.json',
    'name: a\nbase: [hf:a/b, &x c]\nmethod: {name: sft}',
    'data:\n  sources:\n    - from: rows.jsonl\n      limit: 3\n  split: {share: 0.1}',
    'train:\n  learningRate: 1e-3 # peak\n  betas: [0.9, 0.95]\nnotes: "x"\n',
  ].join('\n');
  const marks = [
    ':',
    '-',
    '[',
    ']',
    '{',
    '}',
    '&x',
    '*x',
    '!',
    '#',
    '"',
    "'",
    '|',
    '>',
    '?',
    '\t',
    '\n',
    '\u0000',
    '%',
    '@',
  ];
  for (const seed of seeds) {
    const random = randomStream(streamKey(seed, 2));
    let broken = text;
    for (let edits = 1 + random.below(4); edits > 0; edits--) {
      const at = random.below(broken.length);
      broken = broken.slice(0, at) + (marks[random.below(marks.length)] ?? '') + broken.slice(at + random.below(4));
    }
    const read = readRecipe({ text: broken, file: 'recipe.yaml', flags: [] });
    for (const issue of read.ok ? [] : read.issues) {
      expect(issue.place?.line, `${formatIssue(issue)}\n${broken}`).toBeGreaterThan(0);
      expect(issue.place?.line).toBeLessThanOrEqual(broken.split('\n').length);
    }
  }
});

test('aliases of aliases and endless nesting are refused, quickly', () => {
  const bomb = Array.from({ length: 12 }, (_, n) => `a${n}: &a${n} [${n === 0 ? 'x' : `*a${n - 1},`.repeat(10)}]`);
  for (const text of [
    `name: a\n${bomb.join('\n')}`,
    `notes: ${'['.repeat(400)}`,
    `notes: ${'['.repeat(500)}${']'.repeat(500)}`,
  ]) {
    const read = readRecipe({ text, file: 'recipe.yaml', flags: [] });
    expect(read.ok).toBe(false);
  }
});

function reordered(value: Json, key: number): Json {
  if (Array.isArray(value)) return value.map((item) => reordered(item, key));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    shuffled(Object.entries(value), key).map(([name, member]) => [name, reordered(member, key)]),
  );
}

/** Paths of values that are no sections; a list of sections is walked into, any other list is one value. */
function leaves(value: unknown, path: Path = []): string[] {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  // Options that a person may write as an empty section are a value; a method's parameters are one each.
  const isSection = isObject && (Object.keys(value).length > 0 || formatPath(path) === 'method.parameters');
  // Steps are told of as one: what each does hangs on those before it.
  const isSections =
    formatPath(path) !== 'data.steps' &&
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((item) => typeof item === 'object');
  if (isSections) return value.flatMap((item, index) => leaves(item, [...path, index]));
  return isSection
    ? Object.entries(value).flatMap(([key, member]) => leaves(member, [...path, key]))
    : [formatPath(path)];
}

/** Every field that holds no section, with a value that is not its default and gets on with the other fields. */
function settable(node: SchemaNode, path: Path): readonly (readonly [Path, Json])[] {
  return Object.entries(node.properties ?? {}).flatMap(([key, member]) => {
    const inside = [...path, key];
    if (formatPath(inside) === 'data.sources') return settable(member.items as SchemaNode, [...inside, 0]);
    if (member.examples) return [[inside, exampleOf(member)] as const];
    const sections = branchesOf(member).filter(({ properties }) => properties);
    const [first] = sections;
    return first ? settable(first, inside) : [[inside, exampleOf(member)] as const];
  });
}

function exampleOf(node: SchemaNode): Json {
  const example = node.examples?.at(-1);
  if (example !== undefined) return example;
  const branches = branchesOf(node);
  const branch = branches.at(-1) ?? node;
  const items = branch.items;
  if (Array.isArray(items)) return items.map(exampleOf);
  if (items) return [exampleOf(items as SchemaNode)];
  if (branch.const !== undefined) return branch.const as Json;
  if (branch.enum) return branch.enum.at(-1) ?? null;
  if (branch.type === 'integer') return (branch.minimum ?? 0) + 2;
  if (branch.type === 'number') return (branch.exclusiveMinimum ?? branch.minimum ?? 0) + 1e-6;
  if (branch.type === 'object') return { a: 'x' };
  if (branch.type === 'boolean') return branch.default !== true;
  return 'x';
}

function pathInPlan(path: string): string {
  if (path === 'render.weights') return 'render.weights[0].match';
  const [, field] =
    /^train\.(packTokens|packing|checkpointEvery|keepCheckpoints|checkRows|evalEvery)$/.exec(path) ?? [];
  return field ? `execution.${field}` : path;
}

test('the values of a plan can be found under the paths of their origins', () => {
  for (const { plan } of soundRecipes)
    for (const path of Object.keys(plan.origins)) {
      const keys = path
        .split(/[.[\]]+/)
        .filter(Boolean)
        .map((key) => (/^\d+$/.test(key) ? Number(key) : key));
      expect(valueAt({ ...plan.values, execution: plan.execution, predictions: plan.predictions }, keys)).toBeDefined();
    }
});
