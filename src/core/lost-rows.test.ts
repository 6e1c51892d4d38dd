import { expect, test } from 'vitest';
import type { Issue } from './issue.ts';
import { addLost, type LostReason, lackingSplit, tellLost } from './lost-rows.ts';

const told = (byCode: Record<string, number>) => {
  const invalid = Object.values(byCode).reduce((sum, count) => sum + count, 0);
  return tellLost({ fates: { invalid, train: 100 - invalid }, byCode, issues: [] }, 0).fix;
};

test('a loss may be allowed, but none of most rows for a column of the split that they have not', () => {
  expect(told({ 'not-json': 2, [lackingSplit]: 3 })).toContain('data.budget.dropped: 0.05');
  const wrong = told({ 'not-json': 1, [lackingSplit]: 98 });
  expect(wrong).toContain('Mend data.split.by');
  expect(wrong).not.toContain('data.budget.dropped');
});

test('rows that are lost for one reason are told of once, with their number', () => {
  const issue = (line: number, message: string): Issue => ({
    ...{ code: 'expression-failed', severity: 'error', path: ['data', 'steps', 0], message },
    place: { file: 'rows.jsonl', line, column: 1 },
  });
  const reasons: LostReason[] = [];
  for (let line = 1; line <= 20; line++)
    addLost(reasons, { issue: issue(line, line === 3 ? 'other.' : 'same.'), rows: 1 });
  addLost(reasons, { issue: issue(99, 'same.'), rows: 5 });
  const { lines } = tellLost(
    {
      fates: { invalid: 25 },
      byCode: { 'expression-failed': 25 },
      issues: reasons.map(({ issue: each }) => each),
      alike: reasons.map(({ rows }) => rows),
    },
    0,
  );
  expect(lines).toEqual([
    expect.stringMatching(/^rows\.jsonl:1:1 data\.steps\[0\]: same\..* \(24 rows so\)$/),
    expect.stringMatching(/^rows\.jsonl:3:1 .*other\./),
  ]);
});
