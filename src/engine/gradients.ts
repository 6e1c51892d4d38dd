import type { Graph, Node, Value } from './graph.ts';
import { accumulate } from './products.ts';

/**
 * Reverse-mode differentiation. Adds to the graph the gradient of sum(output * seed) over all `outputs` with respect to
 * each of `to`. What turns out not to be needed costs nothing: `Graph.emit` leaves it out.
 * @returns for each of `to` its gradient, or null when nothing flows into it.
 */
export function gradients(
  graph: Graph,
  request: {
    readonly outputs: readonly { readonly value: Value; readonly seed: Value }[];
    readonly to: readonly Value[];
  },
): (Value | null)[] {
  const wanted = new Set(request.to);
  const flows = new Map<Node, boolean>();
  const order: Node[] = [];
  /** Whether a wanted value lies below; also lists nodes so that each comes after what it reads. */
  const reaches = (value: Value): boolean => {
    const node = value.node;
    if (node === null) return wanted.has(value);
    const known = flows.get(node);
    if (known !== undefined) return known || wanted.has(value);
    flows.set(node, false);
    let below = false;
    for (const input of node.inputs) if (input && reaches(input)) below = true;
    flows.set(node, below);
    if (below) order.push(node);
    return below || wanted.has(value);
  };
  const gradientOf = new Map<Value, Value>();
  const give = (value: Value, gradient: Value): void => {
    const known = gradientOf.get(value);
    gradientOf.set(value, known ? accumulate(graph, known, gradient) : gradient);
  };
  for (const { value, seed } of request.outputs) if (reaches(value)) give(value, seed);
  for (const node of order.toReversed()) {
    const outputGradients = node.outputs.map((output) => gradientOf.get(output) ?? null);
    if (outputGradients.every((gradient) => gradient === null)) continue;
    if (!node.backward) throw new Error(`${node.op} has no gradient`);
    const inputGradients = node.backward(outputGradients);
    node.inputs.forEach((input, index) => {
      const gradient = inputGradients[index];
      if (input && gradient && reaches(input)) give(input, gradient);
    });
  }
  return request.to.map((value) => gradientOf.get(value) ?? null);
}
