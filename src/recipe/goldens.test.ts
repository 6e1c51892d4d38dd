import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { formatIssue } from '../core/issue.ts';
import { readRecipe } from './read-recipe.ts';
import { resolvePlan } from './resolve-plan.ts';

const folder = fileURLToPath(new URL('goldens/', import.meta.url));
const names = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

// Each recipe is wrong in its own way; lines `# --set path=value` are its flags. What is said of it stands beside it.
test.each(names)('%s', async (name) => {
  const text = readFileSync(`${folder}${name}`, 'utf8');
  const flags = [...text.matchAll(/^# --set (.*)$/gm)].map((match) => match[1] ?? '');
  const read = readRecipe({ text, file: name, flags });
  const plan = read.ok ? resolvePlan({ ...read.value, facts: {}, resolvePath: (path) => `/recipes/${path}` }) : read;
  expect(plan.ok).toBe(false);
  const issues = plan.ok ? [] : plan.issues;
  for (const issue of issues) expect(issue.place, formatIssue(issue)).toBeDefined();
  const said = issues.map((issue) => `${issue.severity} ${formatIssue(issue)}\n`).join('');
  await expect(said).toMatchFileSnapshot(`${folder}${name.replace('.yaml', '.issues.txt')}`);
});
