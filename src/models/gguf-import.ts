import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { invariant, MartletError } from '../core/error.ts';
import { normaliseConfig } from './config.ts';
import { type Gguf, type GgufTensor, openGguf } from './gguf.ts';
import { configOfGguf, idOf } from './gguf-config.ts';
import { fromGgufName, reorderedHeads, reorderHeads } from './gguf-names.ts';
import { readVocabulary, tokenizerJsonOf } from './gguf-tokenizer.ts';
import { type Dtype, type TensorSource, writeSafetensors } from './safetensors.ts';

/**
 * Turns a GGUF into a model folder as transformers writes one. Nothing is lost: 16-bit tensors stay as they are, quantized
 * ones become the single-precision numbers that they stand for.
 * @param request.folder must exist
 * @throws MartletError `bad-gguf`, `unsupported-architecture` or `unsupported-tokenizer`
 */
export async function importGguf(request: {
  readonly file: string;
  readonly folder: string;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ((done: number, total: number) => void) | undefined;
}): Promise<void> {
  await using gguf = await openGguf(request.file);
  const { metadata } = gguf;
  const tokenizer = tokenizerJsonOf(metadata);
  const config = await configOfGguf(gguf);
  const { value: model, issues } = normaliseConfig(config);
  if (!model) throw new MartletError('bad-gguf', `${request.file} describes no model that can be computed`, { issues });
  const { tokens } = readVocabulary(metadata);
  if (tokens.length > model.vocab_size)
    throw new MartletError('bad-gguf', `the GGUF has ${tokens.length} tokens and an embedding of ${model.vocab_size}`);

  let done = 0;
  const sources = [...gguf.tensors.values()].flatMap((tensor): TensorSource[] => {
    if (tensor.name === 'rope_freqs.weight') return [];
    const name = fromGgufName(tensor.name);
    if (name === undefined)
      throw new MartletError(
        'unsupported-architecture',
        `the GGUF holds a tensor "${tensor.name}" that is not known here`,
      );
    const heads = reorderedHeads(name, model);
    const dtype: Dtype = tensor.type === 'F16' || tensor.type === 'BF16' ? tensor.type : 'F32';
    const data = async function* () {
      request.signal?.throwIfAborted();
      const bytes = await bytesOf(gguf, tensor);
      yield heads === undefined ? bytes : reorderHeads(bytes, { heads, headDim: model.head_dim, to: 'halves' });
      request.progress?.(++done, gguf.tensors.size);
    };
    return [{ name, dtype, shape: tensor.shape, data }];
  });
  checkShapes(sources, model);

  const counts = Map.groupBy(sources, (source) => source.dtype);
  const commonest = [...counts].sort((a, b) => b[1].length - a[1].length)[0]?.[0];
  const write = (name: string, value: unknown) =>
    writeFile(join(request.folder, name), `${JSON.stringify(value, null, 2)}\n`);
  const tokenAt = (name: string): string | undefined => tokens[idOf(metadata, name) ?? -1];
  const ends = ['eos', 'eot'].flatMap((name) => idOf(metadata, name) ?? []);

  await writeSafetensors(join(request.folder, 'model.safetensors'), sources, { format: 'pt' });
  await write('config.json', {
    ...config,
    torch_dtype: { F16: 'float16', BF16: 'bfloat16' }[String(commonest)] ?? 'float32',
  });
  await write('generation_config.json', {
    ...(model.bos_token_id === null ? {} : { bos_token_id: model.bos_token_id }),
    ...(ends.length === 0 ? {} : { eos_token_id: ends.length === 1 ? ends[0] : [...new Set(ends)] }),
  });
  await write('tokenizer.json', tokenizer);
  await write('tokenizer_config.json', {
    tokenizer_class: 'PreTrainedTokenizerFast',
    bos_token: tokenAt('bos'),
    eos_token: tokenAt('eos'),
    unk_token: tokenAt('unknown'),
    pad_token: tokenAt('padding'),
    clean_up_tokenization_spaces: false,
    model_max_length: model.max_position_embeddings,
    chat_template: metadata.get('tokenizer.chat_template'),
  });
}

async function bytesOf(gguf: Gguf, tensor: GgufTensor): Promise<Uint8Array> {
  if (tensor.type === 'F16' || tensor.type === 'BF16') return gguf.readBytes(tensor.name);
  return new Uint8Array((await gguf.readFloat32(tensor.name)).buffer);
}

/** Metadata and tensors come from the same stranger, and may disagree. */
function checkShapes(
  sources: readonly TensorSource[],
  model: {
    hidden_size: number;
    head_dim: number;
    num_attention_heads: number;
    num_key_value_heads: number;
    num_hidden_layers: number;
  },
): void {
  const shapes = new Map(sources.map((source) => [source.name, source.shape]));
  const expect = (name: string, rows: number): void => {
    const shape = shapes.get(name);
    if (!shape) throw new MartletError('bad-gguf', `the GGUF has no ${name}`);
    if (shape[0] !== rows || shape[1] !== model.hidden_size)
      throw new MartletError('bad-gguf', `${name} is [${shape}], and the metadata say [${rows},${model.hidden_size}]`);
  };
  for (let layer = 0; layer < model.num_hidden_layers; layer++) {
    const at = `model.layers.${layer}.self_attn`;
    expect(`${at}.q_proj.weight`, model.num_attention_heads * model.head_dim);
    expect(`${at}.k_proj.weight`, model.num_key_value_heads * model.head_dim);
  }
  invariant(shapes.size === sources.length, 'two tensors of a GGUF got one name');
}
