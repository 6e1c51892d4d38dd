import { expect, test } from 'vitest';
import { readRecipe } from './read-recipe.ts';

const fixOf = (steps: string): string | undefined => {
  const text = `name: a\nbase: hf:org/model\ndata: {sources: [{from: rows.jsonl}], steps: [${steps}]}\n`;
  const read = readRecipe({ text, file: 'recipe.yaml', flags: [] });
  return read.ok ? undefined : read.issues[0]?.fix;
};

test.each([
  ['dedup', 'Write duplicates.'],
  ['near_dedup', 'Write near-duplicates.'],
  ['{step: MinHash}', 'Write near-duplicates.'],
  ['{step: drop_duplicates}', 'Write duplicates.'],
  ['{step: pii, action: mask}', 'Write personal.'],
  ['decontaminate', 'Write { step: contamination, ... }.'],
  ['filter', 'Write { step: filter, ... }.'],
  ['{step: duplicate}', 'Write duplicates.'],
  ['{step: fliter, keep: a}', 'Write filter.'],
])('a step that others call %s is told by its name here', (given, fix) => {
  expect(fixOf(given)).toBe(fix);
});
