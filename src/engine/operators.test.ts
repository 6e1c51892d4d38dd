import { describe, expect, it } from 'vitest';
import { checkGradients, type GradientCheck } from './finite-differences.ts';
import type { Graph, Value } from './graph.ts';
import { fromRows, layoutFeeds, layoutInputs, packLayout, toRows } from './layout.ts';
import {
  add,
  div,
  exp,
  log,
  mul,
  negate,
  reduceSum,
  reshape,
  rmsNorm,
  rotary,
  sigmoid,
  silu,
  softmax,
  sqrt,
  sub,
  transpose,
} from './operators.ts';
import { accumulate, gemm, matmul } from './products.ts';
import { testRuntime } from './test-runtime.ts';

type Check = Omit<GradientCheck, 'seed'>;
type Build = (graph: Graph, a: Value, b: Value, c: Value) => Value;

const on = (inputs: Readonly<Record<string, readonly number[]>>, output: readonly number[], build: Build): Check => ({
  inputs,
  output,
  build: (graph, values) => build(graph, values.a as Value, values.b as Value, values.c as Value),
});

const square = (graph: Graph, x: Value): Value => add(graph, mul(graph, x, x), graph.scalar(1));
const lengths = [3, 5, 2];
const layout = packLayout(lengths, { group: 1, window: null });
const angle = (place: number, pair: number): number => place / 10 ** pair;
const table = (f: (x: number) => number): Float32Array =>
  Float32Array.from({ length: 16 * 2 }, (_, i) => f(angle(Math.floor(i / 2), i % 2)));
const rotation = {
  cos: { dtype: 'float32', data: table(Math.cos), shape: [16, 2] },
  sin: { dtype: 'float32', data: table(Math.sin), shape: [16, 2] },
  negativeSin: { dtype: 'float32', data: table((x) => -Math.sin(x)), shape: [16, 2] },
} as const;

const checks: Record<string, Check> = {
  matmul: on({ a: [5, 7], b: [7, 3] }, [5, 3], (g, a, b) => matmul(g, a, b, { alpha: 0.5 })),
  'matmul, a transposed': on({ a: [7, 5], b: [7, 3] }, [5, 3], (g, a, b) => matmul(g, a, b, { transA: true })),
  'matmul, b transposed': on({ a: [5, 7], b: [3, 7] }, [5, 3], (g, a, b) =>
    matmul(g, a, b, { transB: true, alpha: 2 }),
  ),
  'matmul, both transposed': on({ a: [7, 5], b: [3, 7] }, [5, 3], (g, a, b) =>
    matmul(g, a, b, { transA: true, transB: true }),
  ),
  'matmul in batches': on({ a: [2, 4, 5, 7], b: [2, 4, 3, 7] }, [2, 4, 5, 3], (g, a, b) =>
    matmul(g, a, b, { transB: true }),
  ),
  gemm: on({ a: [5, 7], b: [3, 7], c: [5, 3] }, [5, 3], (g, a, b, c) =>
    gemm(g, a, b, c, { transB: true, alpha: 0.25 }),
  ),
  'accumulate a product': on({ a: [5, 7], b: [7, 3], c: [5, 3] }, [5, 3], (g, a, b, c) =>
    accumulate(g, c, matmul(g, a, b, { alpha: 3 })),
  ),
  'add, broadcast': on({ a: [4, 3], b: [3] }, [4, 3], add),
  'sub, broadcast': on({ a: [4, 1], b: [4, 3] }, [4, 3], sub),
  'mul, broadcast': on({ a: [2, 4, 3], b: [4, 1] }, [2, 4, 3], mul),
  div: on({ a: [4, 3], b: [4, 3] }, [4, 3], (g, a, b) => div(g, a, square(g, b))),
  negate: on({ a: [4, 3] }, [4, 3], negate),
  sqrt: on({ a: [4, 3] }, [4, 3], (g, a) => sqrt(g, square(g, a))),
  exp: on({ a: [4, 3] }, [4, 3], exp),
  sigmoid: on({ a: [4, 3] }, [4, 3], sigmoid),
  silu: on({ a: [4, 3] }, [4, 3], silu),
  softmax: on({ a: [4, 6] }, [4, 6], softmax),
  log: on({ a: [4, 6] }, [4, 6], (g, a) => log(g, exp(g, a))),
  reduceSum: on({ a: [4, 6] }, [4, 1], (g, a) => reduceSum(g, a, [1])),
  rmsNorm: on({ a: [4, 6], b: [6] }, [4, 6], (g, a, b) => rmsNorm(g, a, b, 1e-5)),
  reshape: on({ a: [4, 6] }, [2, 12], (g, a) => reshape(g, exp(g, a), { to: [2, -1], shape: [2, 12], back: [4, -1] })),
  transpose: on({ a: [2, 3, 4] }, [4, 2, 3], (g, a) => transpose(g, exp(g, a), [2, 0, 1])),
  'tokens to attention rows and back': {
    ...on({ a: [10, 2] }, [10, 2], (g, a) => {
      const inputs = layoutInputs(g, 4);
      return fromRows(g, exp(g, toRows(g, a, inputs, 2)), inputs, 2);
    }),
    given: layoutFeeds(layout),
  },
  rotary: {
    ...on({ a: [10, 8] }, [10, 8], (g, a) => rotary(g, a, layoutInputs(g, 4).rotary)),
    given: { ...layoutFeeds(layout), ...rotation },
  },
};

describe('gradients agree with finite differences', async () => {
  const runtime = await testRuntime();
  for (const [name, check] of Object.entries(checks)) {
    it(name, async () => {
      for (const seed of [1, 2, 3]) {
        const errors = await checkGradients(runtime, { ...check, seed });
        for (const [input, error] of Object.entries(errors)) expect(error, `${input}, seed ${seed}`).toBeLessThan(5e-3);
      }
    });
  }
});
