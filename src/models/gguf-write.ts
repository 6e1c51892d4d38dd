import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { MartletError } from '../core/error.ts';
import type { ModelConfig } from '../spec/train-engine.ts';
import { findChatTemplate, readSpecialTokens } from './chat-template.ts';
import { readModelConfig } from './config.ts';
import { numberToHalf } from './float16.ts';
import { llama3Divisors } from './gguf-config.ts';
import { type GgufSource, type TypedValue, writeGguf } from './gguf-encode.ts';
import { reorderedHeads, reorderHeads, toGgufName } from './gguf-names.ts';
import { blockSizes, type GgufType, quantizeQ8 } from './gguf-quant.ts';
import { addsInFront, vocabularyMetadata } from './gguf-vocabulary.ts';
import { openSafetensors, type Safetensors } from './safetensors.ts';

export const ggufDtypes = ['F32', 'F16', 'Q8_0'] as const;
export type GgufDtype = (typeof ggufDtypes)[number];

/** llama.cpp's numbers of whole files. */
const fileTypes: Readonly<Record<GgufDtype, number>> = { F32: 0, F16: 1, Q8_0: 7 };

/**
 * Writes a model folder as a GGUF that llama.cpp loads. Matrices take the dtype asked for (F16 where a row is no whole
 * number of blocks), norms and biases stay single-precision.
 * @throws MartletError `unsupported-tokenizer`, `unsupported-architecture`, `config-missing`, `weights-missing`
 */
export async function exportGguf(request: {
  readonly modelFolder: string;
  readonly file: string;
  readonly dtype: GgufDtype;
  readonly name?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}): Promise<void> {
  const { modelFolder, file, dtype } = request;
  const { config, metadata } = await modelMetadata({ ...request, fileType: fileTypes[dtype] });
  await using weights = await openSafetensors(modelFolder);
  await writeGguf(file, metadata, tensorSources({ weights, config, dtype, signal: request.signal }));
}

/**
 * Writes what such a file says of tokenizer and chat template, without weights: enough for llama.cpp to cut text.
 * @throws MartletError `unsupported-tokenizer`, `unsupported-architecture`, `config-missing`
 */
export async function exportGgufVocabulary(request: {
  readonly modelFolder: string;
  readonly file: string;
  /** Jinja in place of the folder's. */
  readonly template?: string | undefined;
}): Promise<void> {
  const { metadata } = await modelMetadata({ ...request, fileType: fileTypes.F32 });
  const { template } = request;
  if (template !== undefined) metadata.set('tokenizer.chat_template', { type: 'string', value: template });
  await writeGguf(request.file, metadata, []);
}

async function modelMetadata(request: {
  readonly modelFolder: string;
  readonly name?: string | undefined;
  readonly fileType: number;
}): Promise<{ readonly config: ModelConfig; readonly metadata: Map<string, TypedValue> }> {
  const { modelFolder } = request;
  const config = await readModelConfig(modelFolder);
  const metadata = new Map<string, TypedValue>([
    // llama.cpp computes Mistral as Llama.
    ['general.architecture', { type: 'string', value: architectureOf(config) }],
    ['general.type', { type: 'string', value: 'model' }],
    ['general.name', { type: 'string', value: request.name ?? basename(modelFolder) }],
    ['general.file_type', { type: 'u32', value: request.fileType }],
    ['general.quantization_version', { type: 'u32', value: 2 }],
    ...configMetadata(config),
    ...(await tokenizerMetadata(modelFolder, config)),
  ]);
  return { config, metadata };
}

function architectureOf(config: ModelConfig): string {
  return config.model_type === 'mistral' ? 'llama' : config.model_type;
}

function configMetadata(config: ModelConfig): Map<string, TypedValue> {
  const metadata = new Map<string, TypedValue>();
  const set = (type: 'u32' | 'f32', key: string, value: number): unknown =>
    metadata.set(`${architectureOf(config)}.${key}`, { type, value });
  // llama.cpp has no window for these architectures; within the window there is nothing to differ.
  const context = Math.min(config.max_position_embeddings, config.sliding_window ?? Number.POSITIVE_INFINITY);
  set('u32', 'context_length', context);
  set('u32', 'embedding_length', config.hidden_size);
  set('u32', 'block_count', config.num_hidden_layers);
  set('u32', 'feed_forward_length', config.intermediate_size);
  set('u32', 'attention.head_count', config.num_attention_heads);
  set('u32', 'attention.head_count_kv', config.num_key_value_heads);
  set('u32', 'attention.key_length', config.head_dim);
  set('u32', 'attention.value_length', config.head_dim);
  set('f32', 'attention.layer_norm_rms_epsilon', config.rms_norm_eps);
  set('u32', 'rope.dimension_count', config.head_dim);
  set('f32', 'rope.freq_base', config.rope_theta);
  set('u32', 'vocab_size', config.vocab_size);
  const scaling = config.rope_scaling;
  if (scaling?.rope_type === 'linear' || scaling?.rope_type === 'yarn') {
    metadata.set(`${architectureOf(config)}.rope.scaling.type`, { type: 'string', value: scaling.rope_type });
    set('f32', 'rope.scaling.factor', Number(scaling.factor));
    const original = Number(scaling.original_max_position_embeddings ?? config.max_position_embeddings);
    if (scaling.rope_type === 'yarn') set('u32', 'rope.scaling.original_context_length', original);
  } else if (scaling && scaling.rope_type !== 'llama3') {
    throw new MartletError('unsupported-architecture', `a GGUF cannot say rope_scaling "${scaling.rope_type}"`);
  }
  return metadata;
}

async function tokenizerMetadata(folder: string, config: ModelConfig): Promise<Map<string, TypedValue>> {
  const definition: unknown = JSON.parse(await readFile(join(folder, 'tokenizer.json'), 'utf8'));
  const metadata = vocabularyMetadata(definition, config.vocab_size);
  const tokens = metadata.get('tokenizer.ggml.tokens')?.value as readonly string[];
  const template = await findChatTemplate(folder);
  const named = await readSpecialTokens(folder);
  const idOf = (name: string): number | undefined => {
    const id = tokens.indexOf(named[name] ?? '');
    return id < 0 ? undefined : id;
  };
  const end = idOf('eos_token') ?? config.eos_token_ids[0];
  const start = config.bos_token_id ?? idOf('bos_token');
  const ids: Readonly<Record<string, number | undefined>> = {
    bos: start,
    eos: end,
    eot: config.eos_token_ids.find((id) => id !== end),
    unknown: idOf('unk_token'),
    padding: idOf('pad_token'),
  };
  for (const [name, id] of Object.entries(ids)) {
    if (id !== undefined) metadata.set(`tokenizer.ggml.${name}_token_id`, { type: 'u32', value: id });
  }
  const front = start !== undefined && addsInFront(definition, tokens[start] ?? '');
  metadata.set('tokenizer.ggml.add_bos_token', { type: 'bool', value: front });
  metadata.set('tokenizer.ggml.add_eos_token', { type: 'bool', value: false });
  if (template) metadata.set('tokenizer.chat_template', { type: 'string', value: template.source });
  return metadata;
}

function tensorSources(request: {
  readonly weights: Safetensors;
  readonly config: ModelConfig;
  readonly dtype: GgufDtype;
  readonly signal: AbortSignal | undefined;
}): GgufSource[] {
  const { weights, config, dtype, signal } = request;
  const sources = weights.names.flatMap((name): GgufSource[] => {
    // Some exporters write the output matrix although it is the embedding.
    if (name === 'lm_head.weight' && config.tie_word_embeddings) return [];
    const ggufName = toGgufName(name);
    if (ggufName === undefined)
      throw new MartletError('unsupported-architecture', `a GGUF has no place for the tensor "${name}"`);
    const { shape } = weights.info(name);
    const type = typeFor(shape, dtype);
    const heads = reorderedHeads(name, config);
    const data = async (): Promise<Uint8Array> => {
      signal?.throwIfAborted();
      const values = await weights.readFloat32(name);
      if (heads === undefined) return encodeAs(type, values);
      const rows = reorderHeads(new Uint8Array(values.buffer), { heads, headDim: config.head_dim, to: 'pairs' });
      return encodeAs(type, new Float32Array(rows.buffer));
    };
    return [{ name: ggufName, type, shape, data }];
  });
  const scaling = config.rope_scaling;
  if (scaling?.rope_type !== 'llama3') return sources;
  const divisors = Float32Array.from(
    llama3Divisors({
      factor: Number(scaling.factor),
      low_freq_factor: Number(scaling.low_freq_factor),
      high_freq_factor: Number(scaling.high_freq_factor),
      original_max_position_embeddings: Number(scaling.original_max_position_embeddings),
      headDim: config.head_dim,
      theta: config.rope_theta,
    }),
  );
  const data = async (): Promise<Uint8Array> => new Uint8Array(divisors.buffer);
  return [...sources, { name: 'rope_freqs.weight', type: 'F32', shape: [divisors.length], data }];
}

function typeFor(shape: readonly number[], dtype: GgufDtype): GgufType {
  if (shape.length < 2) return 'F32';
  return (shape.at(-1) ?? 0) % blockSizes[dtype][0] === 0 ? dtype : 'F16';
}

function encodeAs(type: GgufType, values: Float32Array): Uint8Array {
  if (type === 'Q8_0') return quantizeQ8(values);
  if (type === 'F16') return new Uint8Array(Uint16Array.from(values, numberToHalf).buffer);
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
