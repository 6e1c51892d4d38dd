import type { ModelConfig } from '../spec/train-engine.ts';
import type { Emitted } from './graph.ts';
import { Graph, type Value } from './graph.ts';
import { buildBlock, type LinearName } from './llama.ts';
import { blockName, embeddingName, headName, normName } from './model.ts';
import type { OnnxWeight } from './onnx.ts';
import { gatherRows, reshape, rmsNorm } from './operators.ts';
import { matmul } from './products.ts';

/**
 * The whole model with a KV cache, for answering: a prompt, one token for each of many sequences, or a few tokens for one.
 *
 * Inputs: `ids` [T] tokens of B sequences, T / B each, one sequence after the other; `batch` [1] B; `picks` [N] places in
 * `ids` whose logits are wanted; `keys.<layer>` and `values.<layer>` [B, kv heads, P, head]; `lengths` [B]
 * int32 (tokens in the cache after this run, less one), `longest` int32, `cos`, `sin`. Outputs: `logits` [N, V],
 * `keys.<layer>.next`, `values.<layer>.next` (fetched into the same buffers: the cache is written in place). Weights are
 * the graph's own, adapters are fed: `model.layers.<n>.<linear>.lora_A.weight` and `lora_B.weight` of each target, of any
 * rank, none as well, with the scale in B.
 */
export function decodeGraph(request: {
  readonly config: ModelConfig;
  /** What adapters may change. */
  readonly targets: readonly LinearName[];
  readonly weights: readonly OnnxWeight[];
}): Emitted {
  const { config, targets, weights } = request;
  const adapter = targets.length > 0 ? { rank: 'rank', scale: 1, dropout: 0, targets } : null;
  const { head_dim: headSize, num_attention_heads: heads, num_key_value_heads: pairs, hidden_size: hidden } = config;
  const graph = new Graph('decode');
  const lengths = graph.input('lengths', 'int32', ['B']);
  const longest = graph.input('longest', 'int32', [1]);
  const cos = graph.input('cos', 'float32', ['P', headSize / 2]);
  const sin = graph.input('sin', 'float32', ['P', headSize / 2]);
  const outputs: Record<string, Value> = {};
  const batch = graph.input('batch', 'int64', [1]);
  const sequences = (value: Value, width: number): Value => {
    const sizes = graph.apply({
      op: 'Concat',
      inputs: [batch, graph.constant('int64', [2], [-1, width])],
      attributes: { axis: { int: 0 } },
      dtype: 'int64',
      shape: [3],
    });
    return graph.apply({ op: 'Reshape', inputs: [value, sizes], shape: ['B', 'S', width] });
  };

  const vocabulary = config.vocab_size;
  const embedding = graph.input(embeddingName, 'float32', [vocabulary, hidden]);
  const head =
    headName(config) === embeddingName ? embedding : graph.input(headName(config), 'float32', [vocabulary, hidden]);
  let x = gatherRows(graph, embedding, graph.input('ids', 'int64', ['T']));
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    const cache = (name: string): Value => graph.input(`${name}.${layer}`, 'float32', ['B', pairs, 'P', headSize]);
    const attend = (q: Value, k: Value, v: Value): Value => {
      const keys = cache('keys');
      const values = cache('values');
      const [mixed, nextKeys, nextValues] = graph.add({
        op: 'GroupQueryAttention',
        domain: 'com.microsoft',
        inputs: [
          sequences(q, heads * headSize),
          sequences(k, pairs * headSize),
          sequences(v, pairs * headSize),
          keys,
          values,
          lengths,
          longest,
          cos,
          sin,
        ],
        attributes: {
          num_heads: { int: heads },
          kv_num_heads: { int: pairs },
          do_rotary: { int: 1 },
          scale: 1 / Math.sqrt(headSize),
          local_window_size: { int: config.sliding_window ?? -1 },
        },
        outputs: [
          { dtype: 'float32', shape: ['B', 'S', heads * headSize] },
          { dtype: 'float32', shape: keys.shape },
          { dtype: 'float32', shape: values.shape },
        ],
      });
      if (!mixed || !nextKeys || !nextValues) throw new Error('attention has three outputs');
      outputs[`keys.${layer}.next`] = nextKeys;
      outputs[`values.${layer}.next`] = nextValues;
      return reshape(graph, mixed, {
        to: [-1, heads * headSize],
        shape: ['T', heads * headSize],
        back: [0, 0, heads * headSize],
      });
    };
    x = buildBlock({ graph, config, adapter, x, rotary: null, attend, prefix: blockName(layer, ''), joined: true }).y;
  }
  const last = gatherRows(graph, x, graph.input('picks', 'int64', ['N']));
  const normed = rmsNorm(graph, last, graph.input(normName, 'float32', [hidden]), config.rms_norm_eps);
  const logits = matmul(graph, normed, head, { transB: true });
  return graph.emit({ name: 'decode', outputs: { logits, ...outputs }, weights });
}
