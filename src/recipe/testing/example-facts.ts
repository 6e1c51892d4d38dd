import type { Facts } from '../facts.ts';

/** SmolLM2-135M, as its config.json says. */
export const smallModel: NonNullable<Facts['model']> = {
  architecture: 'LlamaForCausalLM',
  model_type: 'llama',
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  head_dim: 64,
  vocab_size: 49152,
  max_position_embeddings: 8192,
  rms_norm_eps: 1e-5,
  rope_theta: 100_000,
  rope_scaling: null,
  tie_word_embeddings: true,
  attention_bias: false,
  mlp_bias: false,
  qk_norm: false,
  sliding_window: null,
  bos_token_id: 1,
  eos_token_ids: [2],
  parameters: 134_515_008,
};

export const exampleFacts: Facts = {
  model: smallModel,
  rows: { train: 384, heldout: 64 },
  tokens: { train: 76_800, learned: 25_000, longest: 230 },
  machine: { cores: 2, memoryGiB: 8, platform: 'linux-x64' },
  throughput: { flopsPerSecond: 1.5e11 },
};
