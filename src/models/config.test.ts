import { describe, expect, it } from 'vitest';
import { normaliseConfig } from './config.ts';

const smol = {
  architectures: ['LlamaForCausalLM'],
  bos_token_id: 1,
  eos_token_id: 2,
  hidden_act: 'silu',
  hidden_size: 576,
  intermediate_size: 1536,
  max_position_embeddings: 8192,
  model_type: 'llama',
  num_attention_heads: 9,
  num_hidden_layers: 30,
  num_key_value_heads: 3,
  rms_norm_eps: 1e-5,
  rope_scaling: null,
  rope_theta: 100000,
  tie_word_embeddings: true,
  vocab_size: 49152,
};
const small = {
  hidden_size: 64,
  intermediate_size: 128,
  num_attention_heads: 4,
  num_hidden_layers: 2,
  vocab_size: 300,
};

describe('normaliseConfig', () => {
  it('reads SmolLM2', () => {
    expect(normaliseConfig(smol, { eos_token_id: [2, 0] }).value).toEqual({
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
      rope_theta: 100000,
      rope_scaling: null,
      tie_word_embeddings: true,
      attention_bias: false,
      mlp_bias: false,
      qk_norm: false,
      sliding_window: null,
      bos_token_id: 1,
      eos_token_ids: [2, 0],
    });
  });

  it('fills in what each family assumes', () => {
    const mistral = normaliseConfig({ ...small, architectures: ['MistralForCausalLM'] }).value;
    expect(mistral).toMatchObject({ sliding_window: 4096, num_key_value_heads: 4, head_dim: 16, bos_token_id: 1 });
    expect(normaliseConfig({ ...small, model_type: 'mistral', sliding_window: null }).value?.sliding_window).toBeNull();
    const qwen2 = normaliseConfig({ ...small, model_type: 'qwen2', sliding_window: 512 }).value;
    expect(qwen2).toMatchObject({ attention_bias: true, qk_norm: false, sliding_window: null, eos_token_ids: [] });
    const qwen3 = normaliseConfig({ ...small, model_type: 'qwen3' }).value;
    expect(qwen3).toMatchObject({ attention_bias: false, qk_norm: true, head_dim: 128 });
    const windowed = { ...small, model_type: 'qwen2', use_sliding_window: true, sliding_window: 512 };
    expect(normaliseConfig({ ...windowed, max_window_layers: 0 }).value?.sliding_window).toBe(512);
    expect(normaliseConfig({ ...windowed, max_window_layers: 1 }).issues[0]?.message).toContain('some layers');
  });

  it('reads the rotation as transformers 4 and 5 write it', () => {
    const scaling = { rope_type: 'llama3', factor: 8 };
    expect(normaliseConfig({ ...smol, rope_scaling: scaling }).value?.rope_scaling).toEqual(scaling);
    const five = normaliseConfig({
      ...smol,
      rope_theta: undefined,
      rope_parameters: { rope_type: 'default', rope_theta: 5e5 },
    });
    expect(five.value).toMatchObject({ rope_theta: 5e5, rope_scaling: null });
  });

  it('names every problem at once', () => {
    const { value, issues } = normaliseConfig({
      ...smol,
      hidden_size: 'big',
      num_key_value_heads: 2,
      hidden_act: 'gelu',
      tie_word_embeddings: 'yes',
    });
    expect(value).toBeUndefined();
    expect(issues.map((issue) => issue.path[0])).toEqual([
      'hidden_act',
      'hidden_size',
      'num_key_value_heads',
      'head_dim',
      'tie_word_embeddings',
    ]);
  });

  it('names the nearest architecture', () => {
    expect(normaliseConfig({ ...smol, architectures: ['LLamaForCausalLM'] }).issues[0]?.fix).toContain(
      'LlamaForCausalLM',
    );
  });
});
