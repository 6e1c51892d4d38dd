import type { Tensor } from 'onnxruntime-common';
import { MartletError } from '../core/error.ts';
import { readModelConfig } from '../models/config.ts';
import { openSafetensors } from '../models/safetensors.ts';
import type { ModelConfig } from '../spec/train-engine.ts';
import { blockParameters } from './llama.ts';
import { type FlatParameters, flatParameters } from './parameters.ts';
import type { Runtime } from './runtime.ts';

/** A base model in memory: every weight in fp32 in one flat array, under its name in the checkpoint. */
export interface Model {
  readonly config: ModelConfig;
  readonly parameters: FlatParameters & { readonly matrixSize: number };
  readonly values: Float32Array;
  tensor(name: string): Tensor;
  /** Gives the memory of the weights back at once; none of them can be read afterwards. */
  release(): void;
}

export const embeddingName = 'model.embed_tokens.weight';
export const normName = 'model.norm.weight';

/** Where the LM head's weights are: its own, or the embedding when they are tied. */
export const headName = (config: ModelConfig): string =>
  config.tie_word_embeddings ? embeddingName : 'lm_head.weight';

export const blockName = (layer: number, name: string): string => `model.layers.${layer}.${name}`;

/** Every parameter of the model, with its shape. */
export function modelParameters(config: ModelConfig): Record<string, readonly number[]> {
  const shapes: Record<string, readonly number[]> = {
    [embeddingName]: [config.vocab_size, config.hidden_size],
    [normName]: [config.hidden_size],
  };
  if (!config.tie_word_embeddings) shapes['lm_head.weight'] = [config.vocab_size, config.hidden_size];
  for (let layer = 0; layer < config.num_hidden_layers; layer++)
    for (const [name, shape] of Object.entries(blockParameters(config))) shapes[blockName(layer, name)] = shape;
  return shapes;
}

/**
 * @throws MartletError `model-incomplete` naming the tensors that are missing or have another shape.
 */
export async function loadModel(runtime: Runtime, folder: string): Promise<Model> {
  const config = await readModelConfig(folder);
  const parameters = flatParameters(modelParameters(config));
  const values = new Float32Array(parameters.size);
  const file = await openSafetensors(folder);
  try {
    const problems: string[] = [];
    for (const { name, shape } of parameters.entries) {
      if (!file.names.includes(name)) problems.push(`${name} is missing`);
      else if (file.info(name).shape.join() !== shape.join())
        problems.push(`${name} is [${file.info(name).shape.join(', ')}], not [${shape.join(', ')}]`);
    }
    if (problems.length > 0)
      throw new MartletError(
        'model-incomplete',
        `${folder} does not hold the weights its config.json describes: ${problems.slice(0, 5).join('; ')}`,
        {
          hint: 'Pull or import the model again.',
        },
      );
    // Two at a time: while one waits for its bytes, another is put in its place.
    const names = parameters.entries.map(({ name }) => name).values();
    const readAll = async (): Promise<void> => {
      for (const name of names) await file.readFloat32(name, parameters.view(values, name));
    };
    await Promise.all([readAll(), readAll()]);
  } finally {
    await file[Symbol.asyncDispose]();
  }
  const tensors = new Map<string, Tensor>();
  return {
    config,
    parameters,
    values,
    release: () => void values.buffer.transfer(0),
    tensor(name) {
      const known = tensors.get(name);
      if (known) return known;
      const made = runtime.float(parameters.view(values, name), parameters.entry(name).shape);
      tensors.set(name, made);
      return made;
    },
  };
}

export interface RotaryTables {
  readonly cos: Float32Array;
  readonly sin: Float32Array;
  readonly negativeSin: Float32Array;
  readonly positions: number;
}

/** cos and sin of position * theta^(-2i/head), [positions, head/2] (Su et al., 2021), with Llama 3's stretching of low frequencies. */
export function rotaryTables(config: ModelConfig, positions: number): RotaryTables {
  const half = config.head_dim / 2;
  const frequencies = Array.from({ length: half }, (_, i) => stretched(config, config.rope_theta ** (-i / half)));
  const fill = (f: (angle: number) => number): Float32Array => {
    const table = new Float32Array(positions * half);
    for (let place = 0; place < positions; place++)
      for (let i = 0; i < half; i++) table[place * half + i] = f(Math.fround(place * Math.fround(frequencies[i] ?? 0)));
    return table;
  };
  return { cos: fill(Math.cos), sin: fill(Math.sin), negativeSin: fill((angle) => -Math.sin(angle)), positions };
}

/** As transformers' `llama3` and `linear` rope types compute it. */
function stretched(config: ModelConfig, frequency: number): number {
  const scaling = config.rope_scaling;
  if (!scaling) return frequency;
  const kind = scaling.rope_type ?? scaling.type;
  const factor = Number(scaling.factor);
  if (kind === 'default') return frequency;
  if (kind === 'linear') return frequency / factor;
  if (kind !== 'llama3')
    throw new MartletError('model-unsupported', `the embedded engine does not know rope scaling "${String(kind)}"`);
  const low = Number(scaling.low_freq_factor);
  const high = Number(scaling.high_freq_factor);
  const original = Number(scaling.original_max_position_embeddings);
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength < original / high) return frequency;
  if (wavelength > original / low) return frequency / factor;
  const smooth = (original / wavelength - low) / (high - low);
  return (1 - smooth) * (frequency / factor) + smooth * frequency;
}
