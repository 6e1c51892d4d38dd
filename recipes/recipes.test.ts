import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { formatIssue } from '../src/core/issue.ts';
import { readRecipe, resolvePlan } from '../src/recipe/index.ts';

const root = import.meta.dirname;
const goals = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory());

describe.each(goals.map(({ name }) => name))('%s', (goal) => {
  const file = join(root, goal, 'recipe.yaml');
  const text = readFileSync(file, 'utf8');

  test('resolves to a plan without a warning', () => {
    const read = readRecipe({ text, file, flags: [] });
    const plan = read.ok
      ? resolvePlan({ ...read.value, facts: {}, resolvePath: (path) => resolve(dirname(file), path) })
      : read;
    expect(plan.ok ? plan.warnings : plan.issues.map(formatIssue)).toEqual([]);
  });

  test('tells editors where the schema is', () => {
    const [, path] = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text) ?? [];
    expect(resolve(dirname(file), path ?? '')).toBe(resolve(root, '../schema/recipe.schema.json'));
  });

  test('has a page that says what to run, and stands in the list', () => {
    expect(existsSync(join(root, goal, 'README.md'))).toBe(true);
    expect(readFileSync(join(root, 'README.md'), 'utf8')).toContain(`](${goal}/README.md)`);
  });
});
