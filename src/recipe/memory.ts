import type { PlanValues } from '../schema/plan.ts';
import type { ModelConfig } from '../spec/train-engine.ts';
import { loraParameters } from './model-size.ts';

const gib = 2 ** 30;
const mib = 2 ** 20;
/** What the engine's process takes before a model is loaded: Node, ONNX Runtime and their code. */
const runtimeBytes = 0.12 * gib;
/** The head works on chunks of 48 MiB of logits; each of its graphs holds two temporaries of that size. */
const headGraphBytes = 2 * 48 * mib;

export interface MemoryRequest {
  readonly model: ModelConfig & { readonly parameters: number };
  readonly adapter: PlanValues['adapter'];
  readonly packTokens: number;
}

/** Numbers that training changes. */
export function trainableParameters({ model, adapter }: Omit<MemoryRequest, 'packTokens'>): number {
  return adapter.kind === 'full' ? model.parameters : loraParameters(model, adapter);
}

/**
 * What one layer saves of a pack for its gradient, in fp32. For each token: the layer's input and the sum behind its
 * attention, queries, keys, values and the attention's output, both halves of the feed-forward network, the narrow side
 * of each adapter, and queries and keys once more where they are normalised.
 */
function layerBytes({ model, adapter, packTokens }: MemoryRequest): number {
  const queries = model.num_attention_heads * model.head_dim;
  const keys = model.num_key_value_heads * model.head_dim;
  const narrow = adapter.kind === 'lora' ? adapter.rank * adapter.targets.length : 0;
  const normed = model.qk_norm ? queries + keys : 0;
  const numbers = 2 * model.hidden_size + 2 * queries + 2 * keys + 2 * model.intermediate_size + narrow + normed;
  return 4 * numbers * packTokens;
}

/** Weights, and for each trained number its gradient and AdamW's two moments; an adapter stands beside the base. */
function stateBytes({ model, adapter }: MemoryRequest): number {
  return 4 * (model.parameters + trainableParameters({ model, adapter }) * (adapter.kind === 'full' ? 3 : 4));
}

/**
 * Whether the embedded engine saves the activations of all layers: where weights, optimiser and activations take less than
 * four fifths of the memory. If not, or if the memory is unknown, it computes each layer again for its gradient.
 */
export function savesActivations(request: MemoryRequest, memoryGiB: number | 'unknown'): boolean {
  const saved = stateBytes(request) + layerBytes(request) * request.model.num_hidden_layers;
  return memoryGiB !== 'unknown' && saved < 0.8 * memoryGiB * gib;
}

/**
 * Most memory of the embedded engine's process at once: the sum of what lives through a whole step and of the most that
 * each graph ever needs, since a graph keeps its memory between runs. Activations are those of all layers, or, computed
 * again, the inputs of all layers and the insides of one twice over (values and their slopes). Attention holds scores,
 * probabilities and the slopes of both, [heads, tokens, tokens] each. Full fine-tuning has a second graph for the head.
 *
 * Measured with SmolLM2-135M, packs of 512 tokens, rank 16: see docs/decisions/2026-11-24-predictions.md.
 */
export function peakBytes(request: MemoryRequest, saves: boolean): number {
  const { model, adapter, packTokens } = request;
  const layer = layerBytes(request);
  const inputs = 4 * model.hidden_size * packTokens * model.num_hidden_layers;
  const activations = saves ? layer * model.num_hidden_layers : inputs + 2 * layer;
  const attention = 4 * (4 * model.num_attention_heads * packTokens * packTokens);
  const head = headGraphBytes * (adapter.kind === 'full' ? 2 : 1);
  return stateBytes(request) + activations + attention + head + runtimeBytes;
}
