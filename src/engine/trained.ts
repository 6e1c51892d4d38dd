import { randomStream, streamKey } from '../core/random.ts';
import { type AdapterShape, adapterParameters } from './llama.ts';
import { blockName, type Model } from './model.ts';
import { type FlatParameters, flatParameters } from './parameters.ts';

/** What is trained: an adapter beside a frozen base, or the base itself. */
export interface Trained {
  readonly parameters: FlatParameters & { readonly matrixSize: number };
  readonly values: Float32Array;
}

/** Fresh adapters as PEFT makes them: A uniform in ±1/sqrt(input) (Kaiming, a = sqrt 5), B zero. */
export function freshAdapter(model: Model, shape: AdapterShape, seed: number): Trained {
  const shapes: Record<string, readonly number[]> = {};
  for (let layer = 0; layer < model.config.num_hidden_layers; layer++)
    for (const [name, size] of Object.entries(adapterParameters(model.config, shape)))
      shapes[blockName(layer, name)] = size;
  const parameters = flatParameters(shapes);
  const values = new Float32Array(parameters.size);
  parameters.entries.forEach(({ name, shape: size }, index) => {
    if (!name.includes('lora_A')) return;
    const random = randomStream(streamKey(seed, 1, index));
    const bound = 1 / Math.sqrt(size[1] ?? 1);
    const view = parameters.view(values, name);
    for (let i = 0; i < view.length; i++) view[i] = (2 * random.uniform() - 1) * bound;
  });
  return { parameters, values };
}
