import type { ModelConfig } from '../spec/train-engine.ts';
import { gradients } from './gradients.ts';
import { type Dimension, type Emitted, Graph, type Value } from './graph.ts';
import { fromRows, type LayoutInputs, layoutInputs, toRows } from './layout.ts';
import { add, at, mul, reshape, rmsNorm, rotary, silu, softmax, split, transpose } from './operators.ts';
import { accumulate, gemm, matmul } from './products.ts';

/** The linear layers of a block, by their names in the checkpoint. */
export const linearNames = {
  q_proj: 'self_attn.q_proj',
  k_proj: 'self_attn.k_proj',
  v_proj: 'self_attn.v_proj',
  o_proj: 'self_attn.o_proj',
  gate_proj: 'mlp.gate_proj',
  up_proj: 'mlp.up_proj',
  down_proj: 'mlp.down_proj',
} as const;
export type LinearName = keyof typeof linearNames;

export interface AdapterShape extends BlockAdapter {
  readonly rank: number;
}

/** What a graph has to know of the adapters it is run with: a rank may be left open, as a symbol. */
export interface BlockAdapter {
  readonly rank: Dimension;
  /** alpha / rank */
  readonly scale: number;
  readonly dropout: number;
  readonly targets: readonly LinearName[];
}

/** Layers that read the same input, in the order their weights lie in, under the name they have together. */
export const joinedNames = {
  'self_attn.qkv_proj.weight': ['q_proj', 'k_proj', 'v_proj'],
  'mlp.gate_up_proj.weight': ['gate_proj', 'up_proj'],
} as const satisfies Record<string, readonly LinearName[]>;

/** Every parameter of a block, by its name inside `model.layers.<n>.`, with its shape. */
export function blockParameters(config: ModelConfig): Record<string, readonly number[]> {
  const { hidden_size: hidden, head_dim: head } = config;
  const parameters: Record<string, readonly number[]> = {
    'input_layernorm.weight': [hidden],
    'post_attention_layernorm.weight': [hidden],
  };
  if (config.qk_norm) {
    parameters['self_attn.q_norm.weight'] = [head];
    parameters['self_attn.k_norm.weight'] = [head];
  }
  for (const name of Object.keys(linearNames) as LinearName[]) {
    const { output, input } = linearSize(config, name);
    parameters[`${linearNames[name]}.weight`] = [output, input];
    if (hasBias(config, name)) parameters[`${linearNames[name]}.bias`] = [output];
  }
  return parameters;
}

export function linearSize(config: ModelConfig, name: LinearName): { readonly output: number; readonly input: number } {
  const { hidden_size: hidden, intermediate_size: inner, head_dim: head } = config;
  const queries = config.num_attention_heads * head;
  const keys = config.num_key_value_heads * head;
  switch (name) {
    case 'q_proj':
      return { output: queries, input: hidden };
    case 'k_proj':
    case 'v_proj':
      return { output: keys, input: hidden };
    case 'o_proj':
      return { output: hidden, input: queries };
    case 'gate_proj':
    case 'up_proj':
      return { output: inner, input: hidden };
    case 'down_proj':
      return { output: hidden, input: inner };
  }
}

/** Qwen2 has biases on q, k and v only; Llama's `attention_bias` puts them on o as well. */
function hasBias(config: ModelConfig, name: LinearName): boolean {
  if (name === 'gate_proj' || name === 'up_proj' || name === 'down_proj') return config.mlp_bias;
  return config.attention_bias && (name !== 'o_proj' || config.model_type !== 'qwen2');
}

/** `lora_A` [rank, input] and `lora_B` [output, rank] of each target, by name inside the block. */
export function adapterParameters<Rank extends Dimension>(
  config: ModelConfig,
  adapter: { readonly rank: Rank; readonly targets: readonly LinearName[] },
): Record<string, readonly (number | Rank)[]> {
  const parameters: Record<string, readonly (number | Rank)[]> = {};
  for (const target of adapter.targets) {
    const { output, input } = linearSize(config, target);
    parameters[`${linearNames[target]}.lora_A.weight`] = [adapter.rank, input];
    parameters[`${linearNames[target]}.lora_B.weight`] = [output, adapter.rank];
  }
  return parameters;
}

export interface BlockGraphs {
  readonly forward: Emitted;
  readonly backward: Emitted;
  /** Without the gradient of the block's input, for the first block when nothing before it is trained. */
  readonly backwardFirst: Emitted | null;
  /** Names of forward outputs that backward is fed, with their width in numbers a token. */
  readonly saved: readonly { readonly name: string; readonly width: number }[];
}

export interface BlockOptions {
  readonly config: ModelConfig;
  readonly adapter: AdapterShape | null;
  /** Parameters, by name inside the block, whose gradients are wanted. */
  readonly trained: readonly string[];
  /** Save activations for backward, or compute them again there. */
  readonly saveActivations: boolean;
}

/**
 * One decoder block (pre-norm attention and SwiGLU; Llama, Mistral, Qwen2, Qwen3 differ by flags of the configuration),
 * shared by all layers: weights are inputs. Inputs: `x` [T, hidden], parameters by name, layout; backward also `dy` and, for each
 * trained parameter, `<name>.sum`, to which its gradient is added and given as `<name>.gradient`.
 */
export function blockGraphs(options: BlockOptions): BlockGraphs {
  const { config, trained } = options;
  const graph = new Graph('block');
  const layout = layoutInputs(graph, config.head_dim);
  const x = graph.input('x', 'float32', ['T', config.hidden_size]);
  const block = buildBlock({
    ...options,
    graph,
    x,
    attend: (q, k, v) => packedAttention({ graph, config, layout, q, k, v }),
    rotary: layout.rotary,
  });
  const saved = options.saveActivations ? block.saved : [];
  const savedOutputs = Object.fromEntries(saved.map((value) => [value.name, value]));
  const forward = graph.emit({ name: 'block-forward', outputs: { y: block.y, ...savedOutputs } });

  const dy = graph.input('dy', 'float32', block.y.shape);
  const wanted = trained.map((name) => parameterOf(block.parameters, name));
  const [dx, ...slopes] = gradients(graph, { outputs: [{ value: block.y, seed: dy }], to: [x, ...wanted] });
  const sums: Record<string, Value> = {};
  trained.forEach((name, index) => {
    const slope = slopes[index];
    const parameter = wanted[index];
    if (slope && parameter)
      sums[`${name}.gradient`] = accumulate(graph, graph.input(`${name}.sum`, 'float32', parameter.shape), slope);
  });
  if (!dx) throw new Error('no gradient reaches the input of the block');
  const backward = graph.emit({ name: 'block-backward', outputs: { dx, ...sums }, cuts: saved });
  const backwardFirst =
    trained.length > 0 ? graph.emit({ name: 'block-backward-first', outputs: sums, cuts: saved }) : null;
  return {
    forward,
    backward,
    backwardFirst,
    saved: saved.map((value) => {
      const width = at(value.shape, -1);
      if (typeof width !== 'number' || value.shape.length !== 2)
        throw new Error(`saved ${value.name} is not [T, width]`);
      return { name: value.name, width };
    }),
  };
}

interface Block {
  readonly y: Value;
  readonly saved: readonly Value[];
  readonly parameters: ReadonlyMap<string, Value>;
}

export interface BuildBlockRequest {
  readonly graph: Graph;
  readonly config: ModelConfig;
  readonly adapter: BlockAdapter | null;
  readonly x: Value;
  readonly rotary: LayoutInputs['rotary'] | null;
  /** [T, heads * head] from rotated q and k, and v. */
  readonly attend: (q: Value, k: Value, v: Value) => Value;
  /** Put before parameter names, where several blocks share a graph. */
  readonly prefix?: string;
  /**
   * Compute layers that read the same input as one product: their weights, which lie one after the other, are then one
   * parameter, named by `joinedNames`. Fewer, larger products; used where no gradient is wanted.
   */
  readonly joined?: boolean;
}

/** The arithmetic of one block, for training and decoding alike; they differ in how they attend. */
export function buildBlock(request: BuildBlockRequest): Block {
  const { graph, config, adapter, x, prefix = '' } = request;
  const parameters = new Map<string, Value>();
  const saved: Value[] = [];
  const keep = (value: Value): Value => {
    saved.push(value);
    return value;
  };
  const shapes: Record<string, readonly Dimension[]> = {
    ...blockParameters(config),
    ...(adapter ? adapterParameters(config, adapter) : {}),
  };
  const parameter = (name: string): Value => {
    const shape = shapes[name];
    if (!shape) throw new Error(`a block has no parameter ${name}`);
    const value = parameters.get(name) ?? graph.input(prefix + name, 'float32', shape);
    parameters.set(name, value);
    return value;
  };
  /** The layers' outputs before bias and adapter. */
  const products = (input: Value, together: keyof typeof joinedNames): readonly Value[] => {
    const names = joinedNames[together];
    const each = (name: LinearName): Value => parameter(`${linearNames[name]}.weight`);
    if (!request.joined) return names.map((name) => matmul(graph, input, each(name), { transB: true }));
    const widths = names.map((name) => linearSize(config, name).output);
    const weight = graph.input(prefix + together, 'float32', [widths.reduce((a, b) => a + b), config.hidden_size]);
    return split(graph, matmul(graph, input, weight, { transB: true }), widths);
  };
  const linear = (input: Value, name: LinearName, product?: Value): Value => {
    const path = linearNames[name];
    let y = product ?? matmul(graph, input, parameter(`${path}.weight`), { transB: true });
    if (hasBias(config, name)) y = add(graph, y, parameter(`${path}.bias`));
    if (!adapter?.targets.includes(name)) return y;
    let seen = input;
    if (adapter.dropout > 0) {
      // 0 or 1 / (1 - dropout): made outside, so that backward sees the same one.
      seen = mul(graph, input, graph.input(`${prefix}${path}.dropout`, 'float32', input.shape));
    }
    const narrow = keep(matmul(graph, seen, parameter(`${path}.lora_A.weight`), { transB: true }));
    return gemm(graph, narrow, parameter(`${path}.lora_B.weight`), y, { transB: true, alpha: adapter.scale });
  };
  const headNorm = (value: Value, name: string, heads: number): Value => {
    if (!config.qk_norm) return value;
    const { head_dim: head } = config;
    const split = reshape(graph, keep(value), { to: [-1, head], shape: ['TH', head], back: [-1, heads * head] });
    const normed = rmsNorm(graph, split, parameter(`self_attn.${name}.weight`), config.rms_norm_eps);
    return reshape(graph, normed, { to: [-1, heads * head], shape: value.shape, back: [-1, head] });
  };
  const turn = (value: Value): Value => (request.rotary ? rotary(graph, value, request.rotary) : value);

  const attentionInput = rmsNorm(graph, x, parameter('input_layernorm.weight'), config.rms_norm_eps);
  const [qs, ks, vs] = products(attentionInput, 'self_attn.qkv_proj.weight');
  const q = turn(headNorm(linear(attentionInput, 'q_proj', qs), 'q_norm', config.num_attention_heads));
  const k = turn(headNorm(linear(attentionInput, 'k_proj', ks), 'k_norm', config.num_key_value_heads));
  const v = linear(attentionInput, 'v_proj', vs);
  const attended = keep(request.attend(keep(q), keep(k), keep(v)));
  const middle = keep(add(graph, x, linear(attended, 'o_proj')));
  const innerInput = rmsNorm(graph, middle, parameter('post_attention_layernorm.weight'), config.rms_norm_eps);
  const [gates, ups] = products(innerInput, 'mlp.gate_up_proj.weight');
  const gate = keep(linear(innerInput, 'gate_proj', gates));
  const up = keep(linear(innerInput, 'up_proj', ups));
  const y = add(graph, middle, linear(mul(graph, silu(graph, gate), up), 'down_proj'));
  return { y, saved, parameters };
}

interface AttentionRequest {
  readonly graph: Graph;
  readonly config: ModelConfig;
  readonly layout: LayoutInputs;
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
}

/** Softmax attention inside documents; query heads of one key head are computed together. All [T, heads * head]. */
function packedAttention({ graph, config, layout, q, k, v }: AttentionRequest): Value {
  const { head_dim: head, num_key_value_heads: pairs } = config;
  const group = config.num_attention_heads / pairs;
  const heads = pairs * group;
  const keyed = (value: Value): Value => {
    const rows = toRows(graph, value, layout, pairs * head);
    const split = reshape(graph, rows, {
      to: [0, 0, pairs, head],
      shape: ['R', 'L', pairs, head],
      back: [0, 0, pairs * head],
    });
    return transpose(graph, split, [0, 2, 1, 3]);
  };
  const queryRows = toRows(graph, q, layout, heads * head);
  const querySplit = reshape(graph, queryRows, {
    to: [0, 0, pairs, group, head],
    shape: ['R', 'L', pairs, group, head],
    back: [0, 0, heads * head],
  });
  const queries = reshape(graph, transpose(graph, querySplit, [0, 2, 3, 1, 4]), {
    to: [0, 0, -1, head],
    shape: ['R', pairs, 'GL', head],
    back: [0, 0, group, -1, head],
  });
  const scores = matmul(graph, queries, keyed(k), { transB: true, alpha: 1 / Math.sqrt(head) });
  const shares = softmax(graph, add(graph, scores, layout.mask));
  const mixed = reshape(graph, matmul(graph, shares, keyed(v)), {
    to: [0, 0, group, -1, head],
    shape: ['R', pairs, group, 'L', head],
    back: [0, 0, -1, head],
  });
  const together = reshape(graph, transpose(graph, mixed, [0, 3, 1, 2, 4]), {
    to: [0, 0, heads * head],
    shape: ['R', 'L', heads * head],
    back: [0, 0, pairs, group, head],
  });
  return fromRows(graph, together, layout, heads * head);
}

function parameterOf(parameters: ReadonlyMap<string, Value>, name: string): Value {
  const value = parameters.get(name);
  if (!value) throw new Error(`a block has no parameter ${name}`);
  return value;
}
