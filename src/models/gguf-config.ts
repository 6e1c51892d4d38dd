import { MartletError } from '../core/error.ts';
import { nearestName } from '../core/nearest.ts';
import { architectures } from './config.ts';
import type { Gguf } from './gguf.ts';
import type { GgufValue } from './gguf-header.ts';

/**
 * The configuration that a GGUF's metadata says, as transformers writes it.
 * @throws MartletError `unsupported-architecture` or `bad-gguf`
 */
export async function configOfGguf(gguf: Gguf): Promise<Record<string, unknown>> {
  const { metadata, tensors } = gguf;
  const architecture = metadata.get('general.architecture');
  const known = Object.entries(architectures).find(([, { model_type }]) => model_type === architecture);
  if (!known || typeof architecture !== 'string') {
    const types = Object.values(architectures).map(({ model_type }) => model_type);
    const nearest = typeof architecture === 'string' && nearestName(architecture, types);
    throw new MartletError('unsupported-architecture', `the GGUF holds a model of architecture "${architecture}"`, {
      hint: `Known are ${types.join(', ')}.${nearest ? ` The nearest is ${nearest}.` : ''}`,
    });
  }
  const number = (key: string): number | undefined => {
    const value = metadata.get(`${architecture}.${key}`);
    return typeof value === 'number' ? shortest(value) : undefined;
  };
  const needed = (key: string): number => {
    const value = number(key);
    if (value === undefined) throw new MartletError('bad-gguf', `the GGUF does not say ${architecture}.${key}`);
    return value;
  };
  const id = (key: string): number | undefined => idOf(metadata, key);
  const heads = needed('attention.head_count');
  const hidden = needed('embedding_length');
  const headDim = number('attention.key_length') ?? number('rope.dimension_count') ?? hidden / heads;
  if ((number('rope.dimension_count') ?? headDim) !== headDim)
    throw new MartletError('unsupported-architecture', 'the GGUF rotates only a part of each head');
  const theta = number('rope.freq_base') ?? 10000;
  const context = needed('context_length');
  return {
    architectures: [known[0]],
    model_type: architecture,
    hidden_act: 'silu',
    hidden_size: hidden,
    intermediate_size: needed('feed_forward_length'),
    num_hidden_layers: needed('block_count'),
    num_attention_heads: heads,
    num_key_value_heads: number('attention.head_count_kv') ?? heads,
    head_dim: headDim,
    max_position_embeddings: context,
    rms_norm_eps: needed('attention.layer_norm_rms_epsilon'),
    rope_theta: theta,
    rope_scaling: await ropeScaling({ gguf, architecture, number, headDim, theta }),
    ...(architecture === 'mistral' ? { sliding_window: number('attention.sliding_window') ?? null } : {}),
    // llama.cpp writes an output matrix only where it is not the embedding.
    tie_word_embeddings: !tensors.has('output.weight'),
    attention_bias: tensors.has('blk.0.attn_q.bias'),
    mlp_bias: tensors.has('blk.0.ffn_up.bias'),
    vocab_size: tensors.get('token_embd.weight')?.shape[0] ?? needed('vocab_size'),
    bos_token_id: id('bos') ?? null,
    eos_token_id: id('eos') ?? null,
    pad_token_id: id('padding') ?? null,
  };
}

/** `tokenizer.ggml.<name>_token_id` */
export function idOf(metadata: ReadonlyMap<string, GgufValue>, name: string): number | undefined {
  const value = metadata.get(`tokenizer.ggml.${name}_token_id`);
  return typeof value === 'number' ? value : undefined;
}

/** The shortest decimal that is this single-precision number: 1e-5, not 9.999999747378752e-6. */
function shortest(value: number): number {
  if (Number.isInteger(value)) return value;
  for (let digits = 1; digits < 10; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === Math.fround(value)) return candidate;
  }
  return value;
}

/** Linear and YaRN scaling are named; Llama 3's is stored as a divisor for each frequency, from which it is recognised. */
async function ropeScaling(request: {
  gguf: Gguf;
  architecture: string;
  number: (key: string) => number | undefined;
  headDim: number;
  theta: number;
}): Promise<Record<string, unknown> | null> {
  const { gguf, architecture, number, headDim, theta } = request;
  const unsupported = (what: string): MartletError =>
    new MartletError('unsupported-architecture', `the GGUF scales rotations in a way not known here: ${what}`);
  if (gguf.tensors.has('rope_freqs.weight')) {
    const divisors = await gguf.readFloat32('rope_freqs.weight');
    const scaling = {
      rope_type: 'llama3',
      factor: divisors.reduce((most, divisor) => Math.max(most, divisor), 1),
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192,
    };
    const expected = llama3Divisors({ ...scaling, headDim, theta });
    if (divisors.some((divisor, i) => Math.abs(divisor / (expected[i] ?? 0) - 1) > 1e-4))
      throw unsupported('rope_freqs');
    return scaling;
  }
  const type = gguf.metadata.get(`${architecture}.rope.scaling.type`) ?? 'none';
  if (type === 'none') return null;
  const factor = number('rope.scaling.factor');
  const original = number('rope.scaling.original_context_length');
  if (type === 'linear') return { rope_type: 'linear', factor };
  if (type === 'yarn') return { rope_type: 'yarn', factor, original_max_position_embeddings: original };
  throw unsupported(String(type));
}

/**
 * By how much Llama 3 divides each frequency of the rotation (`_compute_llama3_parameters` in transformers): long waves
 * by `factor`, short ones by 1, those between by a blend.
 */
export function llama3Divisors(scaling: {
  readonly factor: number;
  readonly low_freq_factor: number;
  readonly high_freq_factor: number;
  readonly original_max_position_embeddings: number;
  readonly headDim: number;
  readonly theta: number;
}): number[] {
  const { factor, low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: original } = scaling;
  return Array.from({ length: scaling.headDim / 2 }, (_, i) => {
    const wave = 2 * Math.PI * scaling.theta ** ((2 * i) / scaling.headDim);
    if (wave < original / high) return 1;
    if (wave > original / low) return factor;
    const smooth = (original / wave - low) / (high - low);
    return 1 / ((1 - smooth) / factor + smooth);
  });
}
