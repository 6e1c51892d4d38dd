import { setImmediate } from 'node:timers/promises';
import type { ModelConfig } from '../spec/train-engine.ts';
import type { BufferPool } from './buffer-pool.ts';
import { type AdapterShape, blockGraphs } from './llama.ts';

/** What a layer reads, and the one before it writes. */
export const inputName = (layer: number): string => `x${layer}`;

/** What a layer keeps for its backward pass, as it is called in the pool. */
export const savedName = (name: string, layer: number): string => `${name} of ${layer}`;

/**
 * Writes to the largest of the buffers that training on packs of so many tokens will use. Memory that a process has never
 * written to is only promised, and the system finds it page by page: in the first step that costs a tenth of it.
 * @returns when all is written, or `signal` aborted
 */
export async function warmActivations(request: {
  readonly buffers: BufferPool;
  readonly config: ModelConfig;
  readonly adapter: AdapterShape | null;
  readonly saveActivations: boolean;
  readonly tokens: number;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { buffers, config, tokens, signal } = request;
  const { saved } = blockGraphs({ ...request, trained: [] });
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    // Messages are looked at in between.
    await setImmediate();
    if (signal.aborted) return;
    buffers(inputName(layer), tokens * config.hidden_size).fill(0);
    for (const { name, width } of saved) buffers(savedName(name, layer), tokens * width).fill(0);
  }
}
