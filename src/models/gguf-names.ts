/** GGUF's names of what the supported architectures hold; `{}` is the layer. */
const names: Readonly<Record<string, string>> = {
  token_embd: 'model.embed_tokens',
  output_norm: 'model.norm',
  output: 'lm_head',
  'blk.{}.attn_norm': 'model.layers.{}.input_layernorm',
  'blk.{}.attn_q': 'model.layers.{}.self_attn.q_proj',
  'blk.{}.attn_k': 'model.layers.{}.self_attn.k_proj',
  'blk.{}.attn_v': 'model.layers.{}.self_attn.v_proj',
  'blk.{}.attn_output': 'model.layers.{}.self_attn.o_proj',
  'blk.{}.attn_q_norm': 'model.layers.{}.self_attn.q_norm',
  'blk.{}.attn_k_norm': 'model.layers.{}.self_attn.k_norm',
  'blk.{}.ffn_norm': 'model.layers.{}.post_attention_layernorm',
  'blk.{}.ffn_gate': 'model.layers.{}.mlp.gate_proj',
  'blk.{}.ffn_up': 'model.layers.{}.mlp.up_proj',
  'blk.{}.ffn_down': 'model.layers.{}.mlp.down_proj',
};
const reversed = Object.fromEntries(Object.entries(names).map(([gguf, hf]) => [hf, gguf]));

/** `blk.3.attn_q.weight` -> `model.layers.3.self_attn.q_proj.weight`; undefined when it has no counterpart. */
export function fromGgufName(name: string): string | undefined {
  return translate(name, names);
}

/** The other way round. */
export function toGgufName(name: string): string | undefined {
  return translate(name, reversed);
}

function translate(name: string, table: Readonly<Record<string, string>>): string | undefined {
  const [, stem = '', suffix = ''] = /^(.*)\.(weight|bias)$/.exec(name) ?? [];
  const layer = /\.(\d+)\./.exec(stem)?.[1];
  const found = table[layer === undefined ? stem : stem.replace(`.${layer}.`, '.{}.')];
  return found && `${layer === undefined ? found : found.replace('{}', layer)}.${suffix}`;
}

/**
 * llama.cpp rotates neighbouring pairs, transformers rotates halves; for the architecture `llama` the rows of q and k are
 * therefore stored in another order. Row i of one head, in order of pairs, is row `i / 2 + (i odd ? half : 0)` of the
 * same head in order of halves.
 */
export function reorderHeads(
  rows: Uint8Array,
  options: { readonly heads: number; readonly headDim: number; readonly to: 'pairs' | 'halves' },
): Uint8Array {
  const { heads, headDim, to } = options;
  const rowBytes = rows.length / (heads * headDim);
  const result = new Uint8Array(rows.length);
  for (let head = 0; head < heads; head++) {
    for (let i = 0; i < headDim; i++) {
      const pair = head * headDim + i;
      const half = head * headDim + (i >> 1) + (i & 1) * (headDim / 2);
      const [from, into] = to === 'pairs' ? [half, pair] : [pair, half];
      result.set(rows.subarray(from * rowBytes, (from + 1) * rowBytes), into * rowBytes);
    }
  }
  return result;
}

/** Heads of the tensors that are stored in order of pairs; undefined for all others. */
export function reorderedHeads(
  hfName: string,
  config: { readonly model_type: string; readonly num_attention_heads: number; readonly num_key_value_heads: number },
): number | undefined {
  if (config.model_type !== 'llama' && config.model_type !== 'mistral') return undefined;
  if (/\.q_proj\.(weight|bias)$/.test(hfName)) return config.num_attention_heads;
  if (/\.k_proj\.(weight|bias)$/.test(hfName)) return config.num_key_value_heads;
  return undefined;
}
