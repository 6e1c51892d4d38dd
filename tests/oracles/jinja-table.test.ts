import { expect, test } from 'vitest';
import { describeWithOracles } from '../support/oracle.ts';
import { compareTable } from './jinja-compare.ts';
import { inputPairs, inputs, pairExpressions, pairTemplate, valueExpressions, valueTemplate } from './jinja-table.ts';
import { whitespaceTemplates } from './jinja-whitespace.ts';

/** Every nth, from the first on; the soak takes all of them. */
function every<T>(step: number, items: readonly T[]): T[] {
  return items.filter((_, index) => index % step === 0);
}

describeWithOracles('a part of all filters, tests, methods and operators', () => {
  test('gives for a value of each kind what Python gives', async () => {
    const templates = every(3, valueExpressions()).map(valueTemplate);
    const { compared, differences } = await compareTable({ templates, inputs });
    expect(differences).toEqual([]);
    expect(compared).toBeGreaterThan(10_000);
  });

  test('gives for two values of all kinds what Python gives', async () => {
    const templates = pairExpressions().map(pairTemplate);
    const { compared, differences } = await compareTable({ templates, inputs: every(7, inputPairs) });
    expect(differences).toEqual([]);
    expect(compared).toBeGreaterThan(3000);
  });
});

describeWithOracles('white space around tags', () => {
  test('goes and stays as in Python', async () => {
    const templates = every(5, whitespaceTemplates());
    const { compared, differences } = await compareTable({ templates, inputs: ['{"a": 1}'] });
    expect(differences).toEqual([]);
    expect(compared).toBe(templates.length);
  });
});
