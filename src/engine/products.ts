import { invariant } from '../core/error.ts';
import type { Graph, Value } from './graph.ts';
import { add, at, int, microsoft } from './operators.ts';

export interface MatmulOptions {
  readonly transA?: boolean;
  readonly transB?: boolean;
  readonly alpha?: number;
}

/** alpha * op(a) · op(b). Leading (batch) dimensions must be equal. */
export function matmul(graph: Graph, a: Value, b: Value, options: MatmulOptions = {}): Value {
  const { transA = false, transB = false, alpha = 1 } = options;
  const rows = at(a.shape, transA ? -1 : -2);
  const columns = at(b.shape, transB ? -2 : -1);
  invariant(a.shape.length === b.shape.length, `matmul of ranks ${a.shape.length} and ${b.shape.length}`);
  return graph.apply({
    op: 'FusedMatMul',
    domain: microsoft,
    inputs: [a, b],
    attributes: { transA: int(transA ? 1 : 0), transB: int(transB ? 1 : 0), alpha },
    shape: [...a.shape.slice(0, -2), rows, columns],
    backward:
      () =>
      ([dy]) => {
        if (!dy) return [null, null];
        const da = transA
          ? matmul(graph, b, dy, { transA: transB, transB: true, alpha })
          : matmul(graph, dy, b, { transB: !transB, alpha });
        const db = transB
          ? matmul(graph, dy, a, { transA: true, transB: transA, alpha })
          : matmul(graph, a, dy, { transA: !transA, alpha });
        return [da, db];
      },
  });
}

/** alpha * op(a) · op(b) + c for matrices, c of the full shape: the sum costs no pass of its own. */
export function gemm(graph: Graph, a: Value, b: Value, c: Value, options: MatmulOptions = {}): Value {
  const { transA = false, transB = false, alpha = 1 } = options;
  return graph.apply({
    op: 'Gemm',
    inputs: [a, b, c],
    attributes: { transA: int(transA ? 1 : 0), transB: int(transB ? 1 : 0), alpha, beta: 1 },
    shape: c.shape,
    backward:
      () =>
      ([dy]) => {
        if (!dy) return [null, null, null];
        // As a product of its own, so that the rule stands once.
        const product = matmul(graph, a, b, options);
        const [da = null, db = null] = product.node?.backward?.([dy]) ?? [];
        return [da, db, dy];
      },
  });
}

/** a + b; when one of them is a plain matrix product, it becomes a Gemm that adds into the other. */
export function accumulate(graph: Graph, a: Value, b: Value): Value {
  for (const [product, other] of [
    [b, a],
    [a, b],
  ] as const) {
    const node = product.node;
    const [left, right] = node?.inputs ?? [];
    if (node?.op === 'FusedMatMul' && left && right && left.shape.length === 2) {
      const flag = (name: string): boolean => {
        const value = node.attributes[name];
        return typeof value === 'object' && 'int' in value && value.int === 1;
      };
      const alpha = node.attributes.alpha;
      return gemm(graph, left, right, other, {
        transA: flag('transA'),
        transB: flag('transB'),
        alpha: typeof alpha === 'number' ? alpha : 1,
      });
    }
  }
  return add(graph, a, b);
}
