import { expect, test } from 'vitest';
import { lackingSplit, tellLost } from './lost-rows.ts';

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
