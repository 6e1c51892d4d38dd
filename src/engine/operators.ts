import { invariant } from '../core/error.ts';
import type { Backward, Dimension, Graph, Value } from './graph.ts';
import type { Attribute } from './onnx.ts';

/**
 * The differentiable operators the models are made of. Shapes stand in comments as [rows, columns]; T is the number of
 * tokens. Gradient rules are the textbook ones; each is checked by finite differences in `operators.test.ts`.
 */

export const int = (value: number): Attribute => ({ int: value });
export const microsoft = 'com.microsoft';

export function add(graph: Graph, a: Value, b: Value): Value {
  return elementwise(graph, 'Add', a, b, (dy) => [dy, dy]);
}

export function sub(graph: Graph, a: Value, b: Value): Value {
  return elementwise(graph, 'Sub', a, b, (dy) => [dy, negate(graph, dy)]);
}

export function mul(graph: Graph, a: Value, b: Value): Value {
  return elementwise(graph, 'Mul', a, b, (dy) => [mul(graph, dy, b), mul(graph, dy, a)]);
}

export function div(graph: Graph, a: Value, b: Value): Value {
  return elementwise(graph, 'Div', a, b, (dy, y) => [
    div(graph, dy, b),
    negate(graph, div(graph, mul(graph, dy, y), b)),
  ]);
}

export function negate(graph: Graph, x: Value): Value {
  return pointwise(graph, 'Neg', x, (dy) => negate(graph, dy));
}

export function sqrt(graph: Graph, x: Value): Value {
  return pointwise(graph, 'Sqrt', x, (dy, y) => mul(graph, dy, div(graph, graph.scalar(0.5), y)));
}

export function exp(graph: Graph, x: Value): Value {
  return pointwise(graph, 'Exp', x, (dy, y) => mul(graph, dy, y));
}

export function sigmoid(graph: Graph, x: Value): Value {
  return pointwise(graph, 'Sigmoid', x, (dy, y) => mul(graph, dy, mul(graph, y, sub(graph, graph.scalar(1), y))));
}

/** x * sigmoid(x), in one pass. d/dx = s + y (1 - s), with s = sigmoid(x) and y the result. */
export function silu(graph: Graph, x: Value): Value {
  return pointwise(
    graph,
    'QuickGelu',
    x,
    (dy, y) => {
      const s = sigmoid(graph, x);
      return mul(graph, dy, add(graph, s, mul(graph, y, sub(graph, graph.scalar(1), s))));
    },
    { domain: microsoft, attributes: { alpha: 1 } },
  );
}

/** Softmax over the last dimension. dx = y (dy - sum(dy y)). */
export function softmax(graph: Graph, x: Value): Value {
  return pointwise(
    graph,
    'Softmax',
    x,
    (dy, y) => mul(graph, y, sub(graph, dy, reduceSum(graph, mul(graph, dy, y), [x.shape.length - 1]))),
    { attributes: { axis: int(-1) } },
  );
}

/** Natural logarithm. */
export function log(graph: Graph, x: Value): Value {
  return pointwise(graph, 'Log', x, (dy) => div(graph, dy, x));
}

/** The highest number of each row of x [N, V], [N, 1]. Its gradient is not defined: it serves where none is wanted. */
export function highest(graph: Graph, x: Value): Value {
  return graph.apply({
    op: 'ReduceMax',
    inputs: [x, graph.constant('int64', [1], [1])],
    attributes: { keepdims: int(1) },
    shape: [at(x.shape, 0), 1],
  });
}

/** Sum over axes, which stay with size 1. */
export function reduceSum(graph: Graph, x: Value, axes: readonly number[]): Value {
  return graph.apply({
    op: 'ReduceSum',
    inputs: [x, graph.constant('int64', [axes.length], axes)],
    attributes: { keepdims: int(1) },
    shape: x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size)),
    backward:
      () =>
      ([dy]) => [dy ? mul(graph, onesLike(graph, x), dy) : null, null],
  });
}

/**
 * x / rms(x) * weight over the last dimension, rms with epsilon inside the root (Zhang and Sennrich, 2019).
 * dx = r g - x r^3 mean(g x), with g = dy * weight and r = 1 / rms.
 */
export function rmsNorm(graph: Graph, x: Value, weight: Value, epsilon: number): Value {
  const last = x.shape.length - 1;
  const width = at(x.shape, -1);
  invariant(typeof width === 'number', 'rmsNorm needs a known width');
  const reduced = x.shape.map((size, axis) => (axis === last ? 1 : size));
  const [result] = graph.add({
    op: 'SimplifiedLayerNormalization',
    inputs: [x, weight],
    attributes: { axis: int(-1), epsilon, stash_type: int(1) },
    outputs: [
      { dtype: 'float32', shape: x.shape },
      { dtype: 'float32', shape: reduced },
    ],
    backward:
      ([, r]) =>
      ([dy]) => {
        if (!dy || !r) return [null, null];
        const g = mul(graph, dy, weight);
        const mean = mul(graph, reduceSum(graph, mul(graph, g, x), [last]), graph.scalar(1 / width));
        const cubed = mul(graph, r, mul(graph, r, r));
        const dx = sub(graph, mul(graph, g, r), mul(graph, x, mul(graph, cubed, mean)));
        const dWeight = sumTo(graph, mul(graph, dy, mul(graph, x, r)), weight.shape);
        return [dx, dWeight];
      },
  });
  invariant(result, 'rmsNorm has an output');
  return result;
}

export interface RotaryInputs {
  /** [1, T] */
  readonly positions: Value;
  /** [positions, head/2] */
  readonly cos: Value;
  readonly sin: Value;
  readonly negativeSin: Value;
}

/** Rotary position embedding of [T, heads * head], halves rotated (GPT-NeoX order). Its gradient is the rotation back. */
export function rotary(graph: Graph, x: Value, inputs: RotaryInputs): Value {
  const width = at(x.shape, -1);
  invariant(typeof width === 'number', 'rotary needs a known width');
  const turn = (value: Value, sin: Value): Value => {
    const batched = reshape(graph, value, {
      to: [1, -1, width],
      shape: [1, at(value.shape, 0), width],
      back: [-1, width],
    });
    const turned = graph.apply({
      op: 'RotaryEmbedding',
      domain: microsoft,
      inputs: [batched, inputs.positions, inputs.cos, sin],
      attributes: { interleaved: int(0) },
      shape: batched.shape,
      backward:
        () =>
        ([dy]) => {
          invariant(sin === inputs.sin, 'rotary is differentiated once');
          if (!dy) return [null, null, null, null];
          const flat = reshape(graph, dy, { to: [-1, width], shape: value.shape, back: [1, -1, width] });
          const back = turn(flat, inputs.negativeSin);
          return [
            reshape(graph, back, { to: [1, -1, width], shape: batched.shape, back: [-1, width] }),
            null,
            null,
            null,
          ];
        },
    });
    return reshape(graph, turned, { to: [-1, width], shape: value.shape, back: [1, -1, width] });
  };
  return turn(x, inputs.sin);
}

export interface ReshapeOptions {
  /** ONNX sizes: 0 keeps the size at that place, -1 is what remains. */
  readonly to: readonly number[];
  readonly shape: readonly Dimension[];
  /** ONNX sizes that undo it. */
  readonly back: readonly number[];
}

export function reshape(graph: Graph, x: Value, options: ReshapeOptions): Value {
  return graph.apply({
    op: 'Reshape',
    inputs: [x, graph.constant('int64', [options.to.length], options.to)],
    dtype: x.dtype,
    shape: options.shape,
    backward:
      () =>
      ([dy]) => [dy ? reshape(graph, dy, { to: options.back, shape: x.shape, back: options.to }) : null, null],
  });
}

export function transpose(graph: Graph, x: Value, order: readonly number[]): Value {
  const inverse = order.map((_, axis) => order.indexOf(axis));
  return graph.apply({
    op: 'Transpose',
    inputs: [x],
    attributes: { perm: order.map((axis) => ({ int: axis })) },
    shape: order.map((axis) => at(x.shape, axis)),
    backward:
      () =>
      ([dy]) => [dy ? transpose(graph, dy, inverse) : null],
  });
}

/** Rows of x [N, ...] at `index` [...]: [index..., ...]. Its gradient is not defined here: see `PackLayout`. */
export function gatherRows(graph: Graph, x: Value, index: Value): Value {
  return graph.apply({
    op: 'Gather',
    inputs: [x, index],
    attributes: { axis: int(0) },
    shape: [...index.shape, ...x.shape.slice(1)],
  });
}

/** Columns of x [N, sum of widths] in parts. Its gradient is not defined: it serves where none is wanted. */
export function split(graph: Graph, x: Value, widths: readonly number[]): readonly Value[] {
  return graph.add({
    op: 'Split',
    inputs: [x, graph.constant('int64', [widths.length], widths)],
    attributes: { axis: int(1) },
    outputs: widths.map((width) => ({ dtype: 'float32', shape: [at(x.shape, 0), width] })),
  });
}

/** For each row of x [N, V], the number at `index` [N, 1]. */
export function pick(graph: Graph, x: Value, index: Value): Value {
  return graph.apply({
    op: 'GatherElements',
    inputs: [x, index],
    attributes: { axis: int(1) },
    shape: [at(x.shape, 0), 1],
  });
}

/** Sums a gradient over the dimensions along which its value was broadcast. */
export function sumTo(graph: Graph, gradient: Value, shape: readonly Dimension[]): Value {
  const lead = gradient.shape.length - shape.length;
  const axes: number[] = [];
  gradient.shape.forEach((size, axis) => {
    const target = axis < lead ? 1 : shape[axis - lead];
    if (axis < lead || (target === 1 && size !== 1)) axes.push(axis);
  });
  if (axes.length === 0) return gradient;
  const summed = reduceSum(graph, gradient, axes);
  if (lead === 0) return summed;
  return graph.apply({
    op: 'Squeeze',
    inputs: [
      summed,
      graph.constant(
        'int64',
        [lead],
        Array.from({ length: lead }, (_, axis) => axis),
      ),
    ],
    shape,
  });
}

export function at(shape: readonly Dimension[], axis: number): Dimension {
  const size = shape.at(axis);
  invariant(size !== undefined, `shape [${shape.join(', ')}] has no axis ${axis}`);
  return size;
}

function onesLike(graph: Graph, x: Value): Value {
  // exp(0 * x) would turn infinities into NaN; Equal and Cast would cost two passes. ConstantOfShape reads only the shape.
  const shape = graph.apply({ op: 'Shape', inputs: [x], dtype: 'int64', shape: [x.shape.length] });
  return graph.apply({ op: 'Expand', inputs: [graph.scalar(1), shape], shape: x.shape });
}

function pointwise(
  graph: Graph,
  op: string,
  x: Value,
  rule: (dy: Value, y: Value) => Value,
  extra: { readonly domain?: string; readonly attributes?: Readonly<Record<string, Attribute>> } = {},
): Value {
  return graph.apply({
    op,
    ...extra,
    inputs: [x],
    shape: x.shape,
    backward:
      ([y]): Backward =>
      ([dy]) => [dy && y ? rule(dy, y) : null],
  });
}

function elementwise(
  graph: Graph,
  op: string,
  a: Value,
  b: Value,
  rule: (dy: Value, y: Value) => readonly [Value, Value],
): Value {
  return graph.apply({
    op,
    inputs: [a, b],
    shape: broadcast(a.shape, b.shape),
    backward:
      ([y]): Backward =>
      ([dy]) => {
        if (!dy || !y) return [null, null];
        const [da, db] = rule(dy, y);
        return [sumTo(graph, da, a.shape), sumTo(graph, db, b.shape)];
      },
  });
}

function broadcast(a: readonly Dimension[], b: readonly Dimension[]): readonly Dimension[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    invariant(left === right || left === 1 || right === 1, `[${a.join(', ')}] and [${b.join(', ')}] do not broadcast`);
    return left === 1 ? right : left;
  });
}
