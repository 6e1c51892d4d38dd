import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { normal, randomStream, streamKey } from '../core/random.ts';
import { numberToBfloat16, numberToHalf } from '../models/float16.ts';
import { type TensorSource, writeSafetensors } from '../models/safetensors.ts';
import { chatmlTemplate, tinyTokenizerJson } from './tiny-tokenizer.ts';

export interface TinyModelOptions {
  readonly seed: number;
  readonly architecture?: 'llama' | 'mistral' | 'qwen2' | 'qwen3';
  readonly layers?: number;
  readonly hidden?: number;
  readonly heads?: number;
  /** Fewer than heads: grouped queries. */
  readonly keyValueHeads?: number;
  readonly headDim?: number;
  readonly intermediate?: number;
  readonly tied?: boolean;
  readonly dtype?: 'F32' | 'BF16' | 'F16';
  readonly maxPositions?: number;
  /** Content of a `tokenizer.json`; byte-level BPE with ChatML tokens unless given. */
  readonly tokenizer?: Readonly<Record<string, unknown>>;
  readonly chatTemplate?: string;
  /** Members put over those of `config.json`. */
  readonly config?: Readonly<Record<string, unknown>>;
}

const classes = {
  llama: 'LlamaForCausalLM',
  mistral: 'MistralForCausalLM',
  qwen2: 'Qwen2ForCausalLM',
  qwen3: 'Qwen3ForCausalLM',
} as const;

/**
 * Writes a complete, tiny model with random weights that transformers loads too: some 25,000 numbers, grouped-query
 * attention, and tokens beyond bytes. Equal options give equal bytes.
 */
export async function writeTinyModel(folder: string, options: TinyModelOptions): Promise<void> {
  const tokenizer = options.tokenizer ?? tinyTokenizerJson();
  const config = tinyConfig(options, vocabularySize(tokenizer));
  const write = (name: string, value: unknown) => writeFile(join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
  await mkdir(folder, { recursive: true });
  await writeSafetensors(join(folder, 'model.safetensors'), tinyTensors(config, options), { format: 'pt' });
  await write('config.json', { ...config, ...options.config });
  await write('generation_config.json', { bos_token_id: config.bos_token_id, eos_token_id: config.eos_token_id });
  await write('tokenizer.json', tokenizer);
  await write('tokenizer_config.json', {
    tokenizer_class: 'PreTrainedTokenizerFast',
    bos_token: '<|im_start|>',
    eos_token: '<|im_end|>',
    pad_token: '<|endoftext|>',
    clean_up_tokenization_spaces: false,
    model_max_length: config.max_position_embeddings,
    chat_template: options.chatTemplate ?? chatmlTemplate,
  });
}

function tinyConfig(options: TinyModelOptions, vocabulary: number) {
  const { architecture = 'llama', hidden = 32, heads = 4 } = options;
  return {
    architectures: [classes[architecture]],
    model_type: architecture,
    hidden_act: 'silu',
    hidden_size: hidden,
    intermediate_size: options.intermediate ?? 48,
    num_hidden_layers: options.layers ?? 2,
    num_attention_heads: heads,
    num_key_value_heads: options.keyValueHeads ?? 2,
    head_dim: options.headDim ?? hidden / heads,
    max_position_embeddings: options.maxPositions ?? 512,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    tie_word_embeddings: options.tied ?? true,
    attention_bias: architecture === 'qwen2',
    mlp_bias: false,
    ...(architecture === 'mistral' ? { sliding_window: null } : {}),
    vocab_size: vocabulary,
    bos_token_id: 1,
    eos_token_id: 2,
    pad_token_id: 0,
    torch_dtype: { F32: 'float32', F16: 'float16', BF16: 'bfloat16' }[options.dtype ?? 'F32'],
  };
}

type TinyConfig = ReturnType<typeof tinyConfig>;

function tinyTensors(config: TinyConfig, { seed, dtype = 'F32' }: TinyModelOptions): TensorSource[] {
  const tensors: TensorSource[] = [];
  const add = (name: string, shape: readonly number[], spread: { mean?: number; deviation: number }): void => {
    const random = randomStream(streamKey(seed, tensors.length));
    const length = shape.reduce((product, size) => product * size, 1);
    const values = Float32Array.from({ length }, () => (spread.mean ?? 0) + spread.deviation * normal(random));
    const data = dtype === 'F32' ? values : Uint16Array.from(values, dtype === 'F16' ? numberToHalf : numberToBfloat16);
    tensors.push({ name, dtype, shape, data });
  };
  // Deviations keep activations of order one; norms and biases are random too, so that a forgotten one shows.
  const linear = (name: string, [outputs, inputs]: readonly [number, number], bias = false): void => {
    add(`${name}.weight`, [outputs, inputs], { deviation: 1 / Math.sqrt(inputs) });
    if (bias) add(`${name}.bias`, [outputs], { deviation: 0.1 });
  };
  const norm = (name: string, size: number): void => add(`${name}.weight`, [size], { mean: 1, deviation: 0.1 });

  const { hidden_size: hidden, head_dim: headDim, intermediate_size: intermediate, vocab_size: vocabulary } = config;
  const queries = config.num_attention_heads * headDim;
  const keys = config.num_key_value_heads * headDim;
  add('model.embed_tokens.weight', [vocabulary, hidden], { deviation: 0.4 });
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    const at = `model.layers.${layer}`;
    norm(`${at}.input_layernorm`, hidden);
    linear(`${at}.self_attn.q_proj`, [queries, hidden], config.attention_bias);
    linear(`${at}.self_attn.k_proj`, [keys, hidden], config.attention_bias);
    linear(`${at}.self_attn.v_proj`, [keys, hidden], config.attention_bias);
    linear(`${at}.self_attn.o_proj`, [hidden, queries]);
    if (config.model_type === 'qwen3') {
      norm(`${at}.self_attn.q_norm`, headDim);
      norm(`${at}.self_attn.k_norm`, headDim);
    }
    norm(`${at}.post_attention_layernorm`, hidden);
    linear(`${at}.mlp.gate_proj`, [intermediate, hidden]);
    linear(`${at}.mlp.up_proj`, [intermediate, hidden]);
    linear(`${at}.mlp.down_proj`, [hidden, intermediate]);
  }
  norm('model.norm', hidden);
  if (!config.tie_word_embeddings) linear('lm_head', [vocabulary, hidden]);
  return tensors;
}

function vocabularySize(tokenizer: Readonly<Record<string, unknown>>): number {
  const { model, added_tokens: added = [] } = tokenizer as {
    model: { vocab: Record<string, number> | unknown[] };
    added_tokens?: { id: number }[];
  };
  const ids = Array.isArray(model.vocab) ? [...model.vocab.keys()] : Object.values(model.vocab);
  return 1 + [...ids, ...added.map((token) => token.id)].reduce((most, id) => Math.max(most, id), 0);
}
