import { MartletError } from '../core/error.ts';
import { type Expression, type Quantity, quantities, type ValueKind } from './expression.ts';

/** What an engine knows of one pack, at its learned positions. */
export interface LossInputs {
  /** For each learned position, the document it belongs to, counted from 0 in the pack. */
  readonly sequenceOf: ArrayLike<number>;
  readonly sequences: number;
  /** One number a position, a document, or one in all; by kind. */
  readonly quantities: Partial<Readonly<Record<Quantity, ArrayLike<number>>>>;
}

export interface LossValue {
  readonly loss: number;
  /** d loss / d logProbability, one number a learned position. */
  readonly slope: Float64Array;
}

interface Evaluated {
  readonly kind: ValueKind;
  readonly value: Float64Array;
  /** Adds to the gradients of what it was made from. */
  readonly pull: (gradient: Float64Array) => void;
}

/**
 * Evaluates a loss and its gradient in double precision. Everything per position is a few thousand numbers, so this costs
 * nothing beside the model.
 * @throws MartletError `bad-loss` when the expression is not a scalar, or mixes kinds without saying how.
 */
export function evaluateLoss(expression: Expression, inputs: LossInputs): LossValue {
  const slope = new Float64Array(inputs.sequenceOf.length);
  const root = evaluate(expression, inputs, slope);
  if (root.kind !== 'scalar')
    throw new MartletError('bad-loss', `a loss is one number; this expression gives one a ${root.kind}`);
  root.pull(Float64Array.of(1));
  return { loss: root.value[0] ?? Number.NaN, slope };
}

/** The kind an expression has, without evaluating it. */
export function kindOf(expression: Expression): ValueKind {
  switch (expression.op) {
    case 'quantity':
      if (!Object.hasOwn(quantities, expression.name)) fail(`there is no quantity ${expression.name}`);
      return quantities[expression.name as Quantity];
    case 'constant':
      return 'scalar';
    case 'sumTokens':
      return need(expression.of, 'token', 'sumTokens') && 'sequence';
    case 'expand':
      return need(expression.of, 'sequence', 'expand') && 'token';
    case 'total':
      kindOf(expression.of);
      return 'scalar';
    case 'stopGradient':
      return kindOf(expression.of);
    default:
      // Losses come out of files too.
      if (!Object.hasOwn('left' in expression ? binaryRules : unaryRules, expression.op))
        fail(`there is no operation ${expression.op}`);
      return 'left' in expression ? joint(kindOf(expression.left), kindOf(expression.right)) : kindOf(expression.of);
  }
}

const fail = (message: string): never => {
  throw new MartletError('bad-loss', message);
};

const need = (expression: Expression, kind: ValueKind, op: string): true =>
  kindOf(expression) === kind || fail(`${op} takes one number a ${kind}, and got one a ${kindOf(expression)}`);

function joint(left: ValueKind, right: ValueKind): ValueKind {
  if (left === right || right === 'scalar') return left;
  if (left === 'scalar') return right;
  return fail(`one number a ${left} and one a ${right} do not combine; use sumTokens or expand`);
}

function evaluate(expression: Expression, inputs: LossInputs, slope: Float64Array): Evaluated {
  const recur = (inner: Expression): Evaluated => evaluate(inner, inputs, slope);
  const kind = kindOf(expression);
  switch (expression.op) {
    case 'constant':
      return { kind, value: Float64Array.of(expression.value), pull: () => {} };
    case 'quantity': {
      const given =
        inputs.quantities[expression.name as Quantity] ?? fail(`the engine does not supply ${expression.name}`);
      const wanted = expression.name === 'logProbability';
      return { kind, value: Float64Array.from(given), pull: (gradient) => wanted && addInto(slope, gradient) };
    }
    case 'stopGradient':
      return { ...recur(expression.of), pull: () => {} };
    case 'sumTokens': {
      const of = recur(expression.of);
      const value = new Float64Array(inputs.sequences);
      of.value.forEach((item, index) => {
        bump(value, inputs.sequenceOf[index] ?? 0, item);
      });
      return {
        kind,
        value,
        pull: (gradient) => of.pull(of.value.map((_, index) => gradient[inputs.sequenceOf[index] ?? 0] ?? 0)),
      };
    }
    case 'expand': {
      const of = recur(expression.of);
      const value = Float64Array.from(inputs.sequenceOf, (sequence) => of.value[sequence] ?? 0);
      return {
        kind,
        value,
        pull: (gradient) => {
          const summed = new Float64Array(inputs.sequences);
          gradient.forEach((item, index) => {
            bump(summed, inputs.sequenceOf[index] ?? 0, item);
          });
          of.pull(summed);
        },
      };
    }
    case 'total': {
      const of = recur(expression.of);
      const sum = of.value.reduce((total, item) => total + item, 0);
      return {
        kind,
        value: Float64Array.of(sum),
        pull: ([gradient = 0]) => of.pull(new Float64Array(of.value.length).fill(gradient)),
      };
    }
    default: {
      if ('left' in expression) {
        const left = recur(expression.left);
        const right = recur(expression.right);
        const rule = binaryRules[expression.op];
        const at = (side: Evaluated, index: number): number =>
          side.value[side.kind === 'scalar' ? 0 : index] ?? Number.NaN;
        const length = (left.kind === kind ? left : right).value.length;
        const value = Float64Array.from({ length }, (_, index) => rule.value(at(left, index), at(right, index)));
        const pullSide = (
          side: Evaluated,
          gradient: Float64Array,
          factor: (l: number, r: number, y: number) => number,
        ): void => {
          const own = new Float64Array(side.value.length);
          gradient.forEach((item, index) => {
            bump(
              own,
              side.kind === 'scalar' ? 0 : index,
              item * factor(at(left, index), at(right, index), value[index] ?? 0),
            );
          });
          side.pull(own);
        };
        return {
          kind,
          value,
          pull: (gradient) => {
            pullSide(left, gradient, rule.left);
            pullSide(right, gradient, rule.right);
          },
        };
      }
      const of = recur(expression.of);
      const rule = unaryRules[expression.op];
      const value = of.value.map(rule.value);
      return {
        kind,
        value,
        pull: (gradient) =>
          of.pull(of.value.map((x, index) => (gradient[index] ?? 0) * rule.slope(x, value[index] ?? 0))),
      };
    }
  }
}

const sigmoid = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));

const unaryRules: Record<
  'neg' | 'exp' | 'log' | 'sigmoid' | 'logSigmoid' | 'square' | 'sqrt' | 'abs' | 'tanh' | 'relu',
  { readonly value: (x: number) => number; readonly slope: (x: number, y: number) => number }
> = {
  neg: { value: (x) => -x, slope: () => -1 },
  exp: { value: Math.exp, slope: (_, y) => y },
  log: { value: Math.log, slope: (x) => 1 / x },
  sigmoid: { value: sigmoid, slope: (_, y) => y * (1 - y) },
  // log(1 / (1 + e^-x)) without overflow on either side.
  logSigmoid: { value: (x) => Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x))), slope: (x) => sigmoid(-x) },
  square: { value: (x) => x * x, slope: (x) => 2 * x },
  sqrt: { value: Math.sqrt, slope: (_, y) => 0.5 / y },
  abs: { value: Math.abs, slope: (x) => Math.sign(x) },
  tanh: { value: Math.tanh, slope: (_, y) => 1 - y * y },
  relu: { value: (x) => Math.max(0, x), slope: (x) => (x > 0 ? 1 : 0) },
};

type Two = (left: number, right: number, y: number) => number;

const binaryRules: Record<
  'add' | 'sub' | 'mul' | 'div' | 'min' | 'max' | 'greater',
  { readonly value: (left: number, right: number) => number; readonly left: Two; readonly right: Two }
> = {
  add: { value: (l, r) => l + r, left: () => 1, right: () => 1 },
  sub: { value: (l, r) => l - r, left: () => 1, right: () => -1 },
  mul: { value: (l, r) => l * r, left: (_, r) => r, right: (l) => l },
  div: { value: (l, r) => l / r, left: (_, r) => 1 / r, right: (_, r, y) => -y / r },
  // On a tie the gradient goes left, as a clipped value that has just reached its bound still may move back.
  min: { value: Math.min, left: (l, r) => (l <= r ? 1 : 0), right: (l, r) => (l <= r ? 0 : 1) },
  max: { value: Math.max, left: (l, r) => (l >= r ? 1 : 0), right: (l, r) => (l >= r ? 0 : 1) },
  greater: { value: (l, r) => (l > r ? 1 : 0), left: () => 0, right: () => 0 },
};

function bump(array: Float64Array, index: number, by: number): void {
  array[index] = (array[index] ?? 0) + by;
}

function addInto(target: Float64Array, from: Float64Array): void {
  from.forEach((item, index) => {
    bump(target, index, item);
  });
}
