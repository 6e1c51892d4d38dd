import type { ModelConfig } from '../spec/train-engine.ts';
import type { Emitted } from './graph.ts';
import { Graph, type Value } from './graph.ts';
import { type AdapterShape, buildBlock } from './llama.ts';
import { blockName } from './model.ts';
import { matmul, reshape, rmsNorm } from './operators.ts';

/**
 * The whole model with a KV cache, for answering. `prefill`: one sequence, many tokens; `decode`: many sequences, one token
 * each; `extend`: one sequence that has a cache already, a few tokens.
 *
 * Inputs: `x` [T, hidden] embeddings, weights and adapter by name, `keys.<layer>` and `values.<layer>` [B, kv heads, P, head],
 * `lengths` [B] int32 (tokens in the cache after this run, less one), `longest` int32, `cos`, `sin`. Outputs: `logits` [B, V] of each
 * sequence's last token (`extend`: of every token), `keys.<layer>.next`, `values.<layer>.next` (fetched into the same buffers: the cache is written in place).
 */
export function decodeGraph(request: {
  readonly config: ModelConfig;
  readonly adapter: AdapterShape | null;
  readonly kind: 'prefill' | 'decode' | 'extend';
}): Emitted {
  const { config, adapter, kind } = request;
  const { head_dim: head, num_attention_heads: heads, num_key_value_heads: pairs, hidden_size: hidden } = config;
  const graph = new Graph(kind);
  const lengths = graph.input('lengths', 'int32', ['B']);
  const longest = graph.input('longest', 'int32', [1]);
  const cos = graph.input('cos', 'float32', ['P', head / 2]);
  const sin = graph.input('sin', 'float32', ['P', head / 2]);
  const outputs: Record<string, Value> = {};
  const sequences = (value: Value, width: number): Value =>
    reshape(graph, value, {
      to: kind === 'decode' ? [-1, 1, width] : [1, -1, width],
      shape: kind === 'decode' ? ['T', 1, width] : [1, 'T', width],
      back: [-1, width],
    });

  let x = graph.input('x', 'float32', ['T', hidden]);
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    const cache = (name: string): Value => graph.input(`${name}.${layer}`, 'float32', ['B', pairs, 'P', head]);
    const attend = (q: Value, k: Value, v: Value): Value => {
      const keys = cache('keys');
      const values = cache('values');
      const [mixed, nextKeys, nextValues] = graph.add({
        op: 'GroupQueryAttention',
        domain: 'com.microsoft',
        inputs: [
          sequences(q, heads * head),
          sequences(k, pairs * head),
          sequences(v, pairs * head),
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
          scale: 1 / Math.sqrt(head),
          local_window_size: { int: config.sliding_window ?? -1 },
        },
        outputs: [
          { dtype: 'float32', shape: ['B', 'S', heads * head] },
          { dtype: 'float32', shape: keys.shape },
          { dtype: 'float32', shape: values.shape },
        ],
      });
      if (!mixed || !nextKeys || !nextValues) throw new Error('attention has three outputs');
      outputs[`keys.${layer}.next`] = nextKeys;
      outputs[`values.${layer}.next`] = nextValues;
      return reshape(graph, mixed, { to: [-1, heads * head], shape: ['T', heads * head], back: [-1, 1, heads * head] });
    };
    x = buildBlock({ graph, config, adapter, x, rotary: null, attend, prefix: blockName(layer, '') }).y;
  }
  const last =
    kind !== 'prefill'
      ? x
      : graph.apply({
          op: 'Slice',
          inputs: [
            x,
            graph.constant('int64', [1], [-1]),
            graph.constant('int64', [1], [Number.MAX_SAFE_INTEGER]),
            graph.constant('int64', [1], [0]),
          ],
          shape: [1, hidden],
        });
  const normed = rmsNorm(graph, last, graph.input('norm', 'float32', [hidden]), config.rms_norm_eps);
  const logits = matmul(graph, normed, graph.input('head', 'float32', [config.vocab_size, hidden]), { transB: true });
  return graph.emit({ name: kind, outputs: { logits, ...outputs } });
}
