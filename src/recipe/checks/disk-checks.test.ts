import { expect, test } from 'vitest';
import { formatIssue } from '../../core/issue.ts';
import type { Facts } from '../facts.ts';
import { readRecipe } from '../read-recipe.ts';
import { resolvePlan } from '../resolve-plan.ts';

const text = 'name: a\nbase: hf:org/model\ndata: {sources: [{from: rows.jsonl}], split: {share: 0.1}}\n';

function errors(flags: readonly string[], facts: Facts = {}): readonly string[] {
  const read = readRecipe({ text, file: 'recipe.yaml', flags });
  if (!read.ok) throw new Error(read.issues.map(formatIssue).join('\n'));
  const plan = resolvePlan({ ...read.value, facts, resolvePath: (path) => `/${path}` });
  return plan.ok ? [] : plan.issues.filter(({ severity }) => severity === 'error').map(formatIssue);
}

test('steps that need all rows at once do not go with a disk budget', () => {
  const steps = 'data.steps=[clean, shuffle, near-duplicates, duplicates]';
  expect(errors([steps])).toEqual([]);
  expect(errors([steps, 'execution.diskGiB=1'])).toEqual([
    expect.stringMatching(/data\.steps\[1\].*shuffle.*training shuffles rows.*\[step-unbounded\]/),
    expect.stringMatching(/data\.steps\[2\].*near-duplicates.*leave out execution\.diskGiB.*\[step-unbounded\]/),
  ]);
});

test('a budget below two steps of known rows is refused with the one that is needed', () => {
  // 100 tokens a row, 10 rows a step, 8 bytes a token, two steps: 16,000 bytes.
  const facts = { rows: { train: 1000, heldout: 100 }, tokens: { train: 100_000, learned: 9, longest: 100 } };
  const flags = ['train.rowsPerStep=10'];
  expect(errors([...flags, `execution.diskGiB=${16_000 / 2 ** 30}`], facts)).toEqual([]);
  const small = [...flags, `execution.diskGiB=${15_999 / 2 ** 30}`];
  expect(errors(small, facts)).toEqual([expect.stringMatching(/15\.6 KiB.*at least 0\.000015.*\[disk-budget\]/)]);
  // Of what was only estimated nothing is refused.
  expect(errors(small, { ...facts, rows: { ...facts.rows, exact: false } })).toEqual([]);
});
