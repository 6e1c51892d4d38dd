import { describe, expect, test } from 'vitest';
import { canonicalJson } from '../core/canonical-json.ts';
import { MartletError } from '../core/error.ts';
import { evaluateLoss } from './evaluate.ts';
import { add, binary, constant, div, mul, neg, quantity, sub, sumTokens, total, unary } from './expression.ts';
import { formatExpression } from './format.ts';
import { methodNamed, methods } from './index.ts';
import { sft } from './sft.ts';

describe.each(methods)('$name', (method) => {
  test('works with no parameter given, so that a recipe may name it alone', () => {
    expect(method.parameters.safeParse({}).success).toBe(true);
  });

  test('has a loss that is plain data, the same each time, and one number', () => {
    const loss = () => method.loss(method.parameters.parse({}));
    expect(canonicalJson(loss())).toBe(canonicalJson(loss()));
    expect(JSON.parse(JSON.stringify(loss()))).toEqual(loss());
    const quantities = {
      logProbability: [-0.5, -1],
      referenceLogProbability: [-0.4, -1.1],
      weight: [1, 1],
      stepWeight: [2],
      stepSequences: [2],
    };
    expect(evaluateLoss(loss(), { sequenceOf: [0, 1], sequences: 2, quantities }).loss).toBeTypeOf('number');
  });

  test('says what it is and where it comes from', () => {
    expect(method.summary).toMatch(/\.$/);
    expect(method.source).toMatch(/\.$/);
    expect(Object.isFrozen(method)).toBe(true);
  });
});

test('names are unique, and a wrong one is answered with the nearest', () => {
  expect(new Set(methods.map(({ name }) => name)).size).toBe(methods.length);
  expect(methodNamed('sft')).toBe(sft);
  expect(() => methodNamed('sftt')).toThrow(MartletError);
  expect(() => methodNamed('sftt')).toThrow(expect.objectContaining({ hint: 'Did you mean sft?' }));
});

describe('sft', () => {
  const logProbability = [-0.5, -2, -0.25];
  const weight = [1, 0.5, 2];

  test('is the weighted mean of negative log-probabilities over the step', () => {
    // (1 * 0.5 + 0.5 * 2 + 2 * 0.25) / 3.5, by hand.
    const quantities = { logProbability, weight, stepWeight: [3.5] };
    const { loss, slope } = evaluateLoss(sft.loss({}), { sequenceOf: [0, 0, 1], sequences: 2, quantities });
    expect(loss).toBeCloseTo(2 / 3.5, 12);
    expect([...slope]).toEqual([-1 / 3.5, -0.5 / 3.5, -2 / 3.5]);
  });

  test('gives packs of one step losses that add up to the loss of the step', () => {
    const part = (from: number, to: number): number =>
      evaluateLoss(sft.loss({}), {
        sequenceOf: Array.from({ length: to - from }, () => 0),
        sequences: 1,
        quantities: {
          logProbability: logProbability.slice(from, to),
          weight: weight.slice(from, to),
          stepWeight: [3.5],
        },
      }).loss;
    expect(part(0, 2) + part(2, 3)).toBeCloseTo(part(0, 3), 12);
  });
});

test('an expression is written as a person would write it', () => {
  const p = quantity('logProbability');
  expect(formatExpression(sft.loss({}))).toBe('-total(weight * logProbability) / stepWeight');
  expect(formatExpression(div(sub(p, constant(1)), add(p, constant(2))))).toBe(
    '(logProbability - 1) / (logProbability + 2)',
  );
  expect(formatExpression(neg(mul(p, p)))).toBe('-(logProbability * logProbability)');
  expect(formatExpression(unary('logSigmoid', sumTokens(p)))).toBe('logSigmoid(sumTokens(logProbability))');
  expect(formatExpression(total(binary('min', p, constant(0))))).toBe('total(min(logProbability, 0))');
});
