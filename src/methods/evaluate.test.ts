import { describe, expect, test } from 'vitest';
import { MartletError } from '../core/error.ts';
import { type RandomStream, randomStream } from '../core/random.ts';
import { evaluateLoss, kindOf, type LossInputs } from './evaluate.ts';
import {
  add,
  binary,
  constant,
  div,
  type Expression,
  expand,
  mul,
  neg,
  type Quantity,
  quantities,
  quantity,
  stopGradient,
  sub,
  sumTokens,
  total,
  unary,
  type ValueKind,
} from './expression.ts';
import { sft } from './sft.ts';

type Given = Readonly<Record<Quantity, readonly number[]>>;
interface Case {
  readonly sequenceOf: readonly number[];
  readonly sequences: number;
  readonly quantities: Given;
}

const unaries: Readonly<Record<string, (x: number) => number>> = {
  neg: (x) => -x,
  exp: (x) => Math.E ** x,
  log: (x) => Math.log2(x) / Math.log2(Math.E),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  logSigmoid: (x) => Math.log(1 / (1 + Math.exp(-x))),
  square: (x) => x ** 2,
  sqrt: (x) => x ** 0.5,
  abs: (x) => (x < 0 ? -x : x),
  tanh: (x) => 1 - 2 / (Math.exp(2 * x) + 1),
  relu: (x) => (x > 0 ? x : 0),
};
const binaries: Readonly<Record<string, (l: number, r: number) => number>> = {
  add: (l, r) => l + r,
  sub: (l, r) => l - r,
  mul: (l, r) => l * r,
  div: (l, r) => l / r,
  min: (l, r) => (l < r ? l : r),
  max: (l, r) => (l > r ? l : r),
  greater: (l, r) => Number(l > r),
};

/** The meaning of an expression, one number at a time: at a token, a document, or in all. What is stopped stays as in `frozen`. */
function meaning(e: Expression, at: { token: number; sequence: number }, given: Case, frozen: Case): number {
  const inner = (of: Expression, place = at): number => meaning(of, place, given, frozen);
  const tokensOf = (sequence: number): number[] =>
    given.sequenceOf.flatMap((owner, token) => (owner === sequence ? [token] : []));
  switch (e.op) {
    case 'constant':
      return e.value;
    case 'quantity': {
      const kind = quantities[e.name as Quantity];
      return given.quantities[e.name as Quantity][kind === 'token' ? at.token : 0] ?? Number.NaN;
    }
    case 'stopGradient':
      return meaning(e.of, at, frozen, frozen);
    case 'expand':
      return inner(e.of, { token: -1, sequence: given.sequenceOf[at.token] ?? -1 });
    case 'sumTokens':
      return tokensOf(at.sequence).reduce((sum, token) => sum + inner(e.of, { token, sequence: -1 }), 0);
    case 'total': {
      const kind = kindOf(e.of);
      if (kind === 'scalar') return inner(e.of);
      const count = kind === 'token' ? given.sequenceOf.length : given.sequences;
      let sum = 0;
      for (let i = 0; i < count; i++) sum += inner(e.of, { token: i, sequence: i });
      return sum;
    }
    default:
      return 'left' in e
        ? (binaries[e.op]?.(inner(e.left), inner(e.right)) ?? Number.NaN)
        : (unaries[e.op]?.(inner(e.of)) ?? Number.NaN);
  }
}

const pick = <T>(random: RandomStream, from: readonly T[]): T => from[random.below(from.length)] as T;

/** A random expression of a kind, kept where every operation is defined and of moderate size. */
function draw(random: RandomStream, kind: ValueKind, depth: number): Expression {
  const names = (Object.keys(quantities) as Quantity[]).filter((name) => quantities[name] === kind);
  if (depth <= 0) {
    if (kind === 'sequence') return sumTokens(quantity('logProbability'));
    return kind === 'token' || random.uniform() < 0.5
      ? quantity(pick(random, names))
      : constant(4 * random.uniform() - 2);
  }
  const next = (of: ValueKind): Expression => draw(random, of, depth - 1);
  const bounded = (of: ValueKind): Expression => unary('tanh', next(of));
  const positive = (of: ValueKind): Expression => add(unary('square', bounded(of)), constant(0.5));
  const side = (): ValueKind => (random.uniform() < 0.3 ? 'scalar' : kind);
  const choices: (() => Expression)[] = [
    () => unary(pick(random, ['neg', 'sigmoid', 'logSigmoid', 'tanh', 'relu', 'abs'] as const), next(kind)),
    () => unary('exp', bounded(kind)),
    () => unary('square', bounded(kind)),
    () => unary(pick(random, ['log', 'sqrt'] as const), positive(kind)),
    () => stopGradient(next(kind)),
    () => binary(pick(random, ['add', 'sub', 'mul', 'min', 'max', 'greater'] as const), next(kind), next(side())),
    () => binary(pick(random, ['add', 'sub', 'mul', 'min', 'max'] as const), next(side()), next(kind)),
    () => div(next(kind), positive(side())),
  ];
  if (kind === 'token') choices.push(() => expand(next('sequence')));
  if (kind === 'sequence') choices.push(() => sumTokens(next('token')));
  if (kind === 'scalar') for (const of of ['token', 'sequence', 'scalar'] as const) choices.push(() => total(next(of)));
  return pick(random, choices)();
}

/** A pack: some documents may hold nothing that is learned. */
function drawCase(random: RandomStream): Case {
  const sequences = 1 + random.below(3);
  const sequenceOf = Array.from({ length: random.below(7) }, () => random.below(sequences)).sort();
  const some = (f: () => number): number[] => sequenceOf.map(f);
  return {
    sequences,
    sequenceOf,
    quantities: {
      logProbability: some(() => -3 * random.uniform()),
      referenceLogProbability: some(() => -3 * random.uniform()),
      weight: some(() => random.uniform()),
      stepWeight: [1 + random.uniform()],
      stepSequences: [sequences],
    },
  };
}

const everywhere = { token: 0, sequence: 0 };

test('random expressions: the value is what the expression says, the gradient that of finite differences', () => {
  const random = randomStream(11);
  const seen = new Set<string>();
  const note = (e: Expression): void => {
    seen.add(e.op);
    if ('of' in e) note(e.of);
    if ('left' in e) for (const side of [e.left, e.right]) note(side);
  };
  let slopes = 0;
  for (let round = 0; round < 600; round++) {
    const given = drawCase(random);
    const e = total(draw(random, pick(random, ['token', 'sequence', 'scalar']), 1 + random.below(5)));
    note(e);
    const { loss, slope } = evaluateLoss(e, given);
    const said = JSON.stringify({ e, given });
    const expected = meaning(e, everywhere, given, given);
    expect(Math.abs(loss - expected), said).toBeLessThanOrEqual(1e-9 * (1 + Math.abs(expected)));
    expect(slope).toHaveLength(given.sequenceOf.length);
    slope.forEach((analytic, token) => {
      const step = 1e-5;
      const moved = (by: number): number => {
        const logProbability = given.quantities.logProbability.map((p, i) => (i === token ? p + by : p));
        return meaning(e, everywhere, { ...given, quantities: { ...given.quantities, logProbability } }, given);
      };
      const [right, left] = [(moved(step) - expected) / step, (expected - moved(-step)) / step];
      // A corner, such as max(x, x): there is no slope to compare with.
      if (Math.abs(right - left) > 1e-2 * (1 + Math.abs(right + left))) return;
      const numeric = (right + left) / 2;
      const error = Math.abs(analytic - numeric) / (1 + Math.abs(numeric) + 1e-3 * Math.abs(expected));
      expect(error, `token ${token} of ${said}`).toBeLessThan(1e-5);
      slopes += Number(Math.abs(numeric) > 1e-6);
    });
  }
  expect([...seen].sort()).toEqual(
    [
      'constant',
      'expand',
      'quantity',
      'stopGradient',
      'sumTokens',
      'total',
      ...Object.keys(unaries),
      ...Object.keys(binaries),
    ].sort(),
  );
  expect(slopes).toBeGreaterThan(500);
});

const inputs = (logProbability: readonly number[], more: Partial<LossInputs> = {}): LossInputs => ({
  sequenceOf: logProbability.map(() => 0),
  sequences: 1,
  ...more,
  quantities: { logProbability, stepWeight: [1], ...more.quantities },
});
const p = quantity('logProbability');

describe('where a rule meets its limits', () => {
  test('large numbers on either side do not overflow', () => {
    const of = (op: 'sigmoid' | 'logSigmoid', x: number) => evaluateLoss(total(unary(op, p)), inputs([x]));
    expect(of('sigmoid', 1000)).toEqual({ loss: 1, slope: Float64Array.of(0) });
    expect(of('sigmoid', -1000)).toEqual({ loss: 0, slope: Float64Array.of(0) });
    expect(of('logSigmoid', 1000)).toEqual({ loss: 0, slope: Float64Array.of(0) });
    expect(of('logSigmoid', -1000)).toEqual({ loss: -1000, slope: Float64Array.of(1) });
  });

  test('on a tie the gradient goes to the left side alone', () => {
    for (const op of ['min', 'max'] as const) {
      expect([...evaluateLoss(total(binary(op, p, constant(-1))), inputs([-1])).slope]).toEqual([1]);
      expect([...evaluateLoss(total(binary(op, constant(-1), p)), inputs([-1])).slope]).toEqual([0]);
    }
    expect([...evaluateLoss(total(unary('relu', p)), inputs([0])).slope]).toEqual([0]);
  });

  test('what is used twice gets both gradients, and what is stopped none', () => {
    // d/dx (x * x + 3 x) at -2; with the first factor stopped, x + 3.
    expect([...evaluateLoss(total(add(mul(p, p), mul(constant(3), p))), inputs([-2])).slope]).toEqual([-1]);
    expect([...evaluateLoss(total(add(mul(stopGradient(p), p), mul(constant(3), p))), inputs([-2])).slope]).toEqual([
      1,
    ]);
  });

  test('a pack without learned tokens adds nothing, whichever side a scalar stands on', () => {
    for (const e of [mul(constant(2), p), mul(p, constant(2)), sub(constant(1), p), expand(sumTokens(p))])
      expect(evaluateLoss(total(e), inputs([]))).toEqual({ loss: 0, slope: new Float64Array() });
  });
});

describe('sft', () => {
  test('learns nothing from a weight of zero, and documents without learned tokens change nothing', () => {
    const quantitiesOf = { weight: [0, 1, 2], stepWeight: [3] };
    const alone = evaluateLoss(sft.loss({}), inputs([-5, -1, -0.5], { quantities: quantitiesOf }));
    // (0 * 5 + 1 * 1 + 2 * 0.5) / 3, by hand.
    expect(alone.loss).toBeCloseTo(2 / 3, 14);
    expect(alone.slope).toEqual(Float64Array.of(0, -1 / 3, -2 / 3));
    const among = inputs([-5, -1, -0.5], { sequenceOf: [1, 1, 3], sequences: 5, quantities: quantitiesOf });
    expect(evaluateLoss(sft.loss({}), among)).toEqual(alone);
    expect(evaluateLoss(sft.loss({}), inputs([], { quantities: { weight: [], stepWeight: [3] } })).loss).toBeCloseTo(0);
  });

  test('holds for answers the model finds next to impossible', () => {
    const { loss, slope } = evaluateLoss(
      sft.loss({}),
      inputs([-1e30, -1e-30], { quantities: { weight: [1, 1], stepWeight: [2] } }),
    );
    expect(loss).toBeCloseTo(5e29, -20);
    expect([...slope]).toEqual([-0.5, -0.5]);
  });
});

describe('an expression that means nothing is refused in words', () => {
  const refusal = (e: Expression, given: LossInputs = inputs([-1])): string => {
    try {
      evaluateLoss(e, given);
    } catch (error) {
      expect(MartletError.is(error) && error.code).toBe('bad-loss');
      return (error as Error).message;
    }
    return 'accepted';
  };

  test('names that are no quantity, those every object has among them', () => {
    for (const name of ['logProbabilty', 'toString', 'constructor', '__proto__'])
      expect(refusal(total({ op: 'quantity', name }))).toBe(`there is no quantity ${name}`);
    expect(refusal(total(mul(p, quantity('referenceLogProbability'))))).toBe(
      'the engine does not supply referenceLogProbability',
    );
  });

  test('operations that are none', () => {
    expect(refusal(total({ op: 'cube', of: p } as unknown as Expression))).toBe('there is no operation cube');
    expect(refusal(total({ op: 'pow', left: p, right: p } as unknown as Expression))).toBe('there is no operation pow');
    expect(refusal(total({ op: 'valueOf', of: p } as unknown as Expression))).toBe('there is no operation valueOf');
  });

  test('kinds that do not fit', () => {
    expect(refusal(p)).toBe('a loss is one number; this expression gives one a token');
    expect(refusal(neg(sumTokens(p)))).toBe('a loss is one number; this expression gives one a sequence');
    expect(refusal(total(add(p, sumTokens(p))))).toBe(
      'one number a token and one a sequence do not combine; use sumTokens or expand',
    );
    expect(refusal(total(sumTokens(sumTokens(p))))).toBe('sumTokens takes one number a token, and got one a sequence');
    expect(refusal(total(expand(p)))).toBe('expand takes one number a sequence, and got one a token');
  });
});
