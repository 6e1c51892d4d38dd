import { describe, expect, test } from 'vitest';
import { describeWithOracles } from '../support/oracle.ts';
import { compareTable } from './jinja-compare.ts';
import { fuzzCases, fuzzVariables } from './jinja-fuzz.ts';

describeWithOracles('templates drawn from a grammar', () => {
  // MARTLET_FUZZ_SEED draws others: the same seed, the same templates.
  const seed = Number(process.env.MARTLET_FUZZ_SEED ?? 1);
  test(`render as in Python, or fail in both (seed ${seed})`, async () => {
    const templates = fuzzCases(seed, 700);
    const { compared, differences } = await compareTable({ templates, inputs: [fuzzVariables] });
    expect(differences).toEqual([]);
    expect(compared).toBeGreaterThan(690);
  });
});

describe('the grammar', () => {
  test('draws the same templates from the same seed', () => {
    expect(fuzzCases(7, 20)).toEqual(fuzzCases(7, 20));
    expect(fuzzCases(7, 20)).not.toEqual(fuzzCases(8, 20));
  });
});
