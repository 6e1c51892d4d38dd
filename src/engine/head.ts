import { gradients } from './gradients.ts';
import type { Emitted } from './graph.ts';
import { Graph } from './graph.ts';
import { gatherRows, highest, log, mul, pick, reshape, rmsNorm, softmax, sub } from './operators.ts';
import { accumulate, matmul } from './products.ts';

export interface HeadGraphs {
  /** `h` [M, hidden], `norm`, `head` [V, hidden], `labels` [M] -> `logProbability` [M, 1], `slope` [M, hidden]. */
  readonly forward: Emitted;
  /** `h`, `norm`, `dNormed` [M, hidden] -> `dh`; and `norm.gradient` from `norm.sum`. */
  readonly backward: Emitted;
  /** `h`, `norm`, `head`, `labels`, `coefficient` [M, 1] -> `head.gradient` from `head.sum`. For full fine-tuning. */
  readonly weightBackward: Emitted;
  /** `h`, `norm`, `head` -> `logits` [M, V]. */
  readonly logits: Emitted;
}

/**
 * The last norm, the LM head and the log-probability of each label, on learned positions only.
 *
 * With p = softmax(E n), d log p[label] / dn = E[label] - p · E =: slope. So one pass over the vocabulary gives the loss and
 * its direction for any method: the coefficient dLoss / dlogProbability is applied to `slope` afterwards.
 */
export function headGraphs(request: {
  readonly hidden: number;
  readonly vocabulary: number;
  readonly epsilon: number;
}): HeadGraphs {
  const { hidden, vocabulary, epsilon } = request;
  const graph = new Graph('head');
  const h = graph.input('h', 'float32', ['M', hidden]);
  const norm = graph.input('norm', 'float32', [hidden]);
  const head = graph.input('head', 'float32', [vocabulary, hidden]);
  const labels = graph.input('labels', 'int64', ['M']);
  const normed = rmsNorm(graph, h, norm, epsilon);
  const logits = matmul(graph, normed, head, { transB: true });
  const probabilities = softmax(graph, logits);
  const columns = graph.apply({
    op: 'Reshape',
    inputs: [labels, graph.constant('int64', [2], [-1, 1])],
    dtype: 'int64',
    shape: ['M', 1],
  });
  // log p[label] = logit[label] - log sum exp, which the likeliest token tells, whose p is no less than 1 / V: one matrix of
  // [M, V] beside the logits instead of two, and no rare token is lost to a p of 0.
  const logSum = sub(graph, highest(graph, logits), log(graph, highest(graph, probabilities)));
  const logProbability = sub(graph, pick(graph, logits, columns), logSum);
  const slope = sub(graph, gatherRows(graph, head, labels), matmul(graph, probabilities, head));
  const forward = graph.emit({ name: 'head-forward', outputs: { logProbability, slope } });

  const dNormed = graph.input('dNormed', 'float32', ['M', hidden]);
  const [dh, dNorm] = gradients(graph, { outputs: [{ value: normed, seed: dNormed }], to: [h, norm] });
  if (!dh || !dNorm) throw new Error('the head has no gradient');
  const normSum = graph.input('norm.sum', 'float32', [hidden]);
  const backward = graph.emit({
    name: 'head-backward',
    outputs: { dh, 'norm.gradient': accumulate(graph, normSum, dNorm) },
  });

  // dE = sum over positions of coefficient * (onehot - p) n^T. The one-hot part is a few rows: it is added outside.
  const coefficient = graph.input('coefficient', 'float32', ['M', 1]);
  const weighted = mul(graph, probabilities, coefficient);
  const headSum = graph.input('head.sum', 'float32', [vocabulary, hidden]);
  const spread = accumulate(graph, headSum, matmul(graph, weighted, normed, { transA: true, alpha: -1 }));
  const weightBackward = graph.emit({
    name: 'head-weights',
    outputs: {
      'head.gradient': spread,
      normed: reshape(graph, normed, { to: [-1, hidden], shape: ['M', hidden], back: [-1, hidden] }),
    },
  });
  return { forward, backward, weightBackward, logits: graph.emit({ name: 'head-logits', outputs: { logits } }) };
}
