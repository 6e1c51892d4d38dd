import type { PlanPredictions, PlanValues } from '../schema/plan.ts';
import type { Facts } from './facts.ts';
import { linearParameters, loraParameters } from './model-size.ts';

type Model = NonNullable<Facts['model']>;

const gib = 2 ** 30;
/** What the runtime takes before a model is loaded: Node, ONNX Runtime and their code. */
const runtimeBytes = 0.25 * gib;
/** The head works on chunks of 32 MiB of logits and holds about four temporaries of that size. */
const headBytes = 4 * 32 * 2 ** 20;

/** Optimiser steps: whole steps of `rowsPerStep` rows, the last of each pass as small as it comes. */
export function countSteps(rows: number, { epochs, rowsPerStep, maxSteps }: StepOptions): number {
  const stepsAPass = Math.ceil(rows / rowsPerStep);
  const whole = Math.floor(epochs);
  const rest = Math.ceil(Math.round(rows * (epochs - whole) * 1e6) / 1e6);
  const steps = whole * stepsAPass + Math.ceil(rest / rowsPerStep);
  return maxSteps === null ? steps : Math.min(steps, maxSteps);
}

export interface StepOptions {
  readonly epochs: number;
  readonly rowsPerStep: number;
  readonly maxSteps: number | null;
}

/** Numbers that training changes. */
export function trainableParameters(model: Model, adapter: PlanValues['adapter']): number {
  return adapter.kind === 'full' ? model.parameters : loraParameters(model, adapter);
}

export interface MemoryRequest {
  readonly model: Model;
  readonly adapter: PlanValues['adapter'];
  readonly packTokens: number;
}

/**
 * What one layer saves of a pack for its gradient, in fp32: for each token its two normalised inputs, queries, keys and
 * values, the attention's output, and the two halves of the feed-forward network.
 */
function layerBytes({ model, packTokens }: MemoryRequest): number {
  const heads = (2 * model.num_attention_heads + 2 * model.num_key_value_heads) * model.head_dim;
  return 4 * (2 * model.hidden_size + heads + 2 * model.intermediate_size) * packTokens;
}

/** Weights, and for each trained number its gradient and AdamW's two moments; an adapter stands beside the base. */
function stateBytes({ model, adapter }: MemoryRequest): number {
  return 4 * (model.parameters + trainableParameters(model, adapter) * (adapter.kind === 'full' ? 3 : 4));
}

/** Whether the embedded engine saves activations of all layers; if not, it computes each layer again for its gradient. */
export function savesActivations(request: MemoryRequest, memoryGiB: number | 'unknown'): boolean {
  const saved = stateBytes(request) + layerBytes(request) * request.model.num_hidden_layers;
  return memoryGiB === 'unknown' || saved < 0.8 * memoryGiB * gib;
}

/** Most memory of the embedded engine at once. Recomputing, it keeps the inputs of all layers and one layer's insides. */
export function peakBytes(request: MemoryRequest, saves = true): number {
  const { model, packTokens } = request;
  const inputs = 4 * model.hidden_size * packTokens * model.num_hidden_layers;
  const activations = saves ? layerBytes(request) * model.num_hidden_layers : inputs + 2 * layerBytes(request);
  const scores = 4 * model.num_attention_heads * packTokens * packTokens;
  return stateBytes(request) + activations + scores + headBytes + runtimeBytes;
}

/**
 * Floating-point operations to learn from one token: forward and the gradient of the inputs, 2 a weight each, and the
 * gradient of the weights where they are trained; the head only where a token is learned. Attention is left out: below
 * some thousand tokens it is a few per cent.
 * @param learnedShare learned tokens among all, 0 to 1.
 */
export function flopsPerToken(model: Model, adapter: PlanValues['adapter'], learnedShare: number): number {
  const linear = linearParameters(model);
  const head = model.hidden_size * model.vocab_size * learnedShare;
  if (adapter.kind === 'full') return 6 * (linear + head);
  return 4 * (linear + head) + 6 * loraParameters(model, adapter);
}

export interface PredictRequest {
  readonly values: PlanValues;
  readonly engine: 'embedded' | 'torch';
  readonly packTokens: number;
  readonly memoryGiB: number | 'unknown';
  readonly facts: Facts;
}

/** What to expect. Memory and time are those of the embedded engine; of another they are unknown. */
export function predict({ values, engine, packTokens, memoryGiB, facts }: PredictRequest): PlanPredictions {
  const { model, rows, tokens } = facts;
  const { adapter, train } = values;
  const memory = model && engine === 'embedded' ? { model, adapter, packTokens } : undefined;
  const saves = memory ? savesActivations(memory, memoryGiB) : true;
  return {
    rows: rows?.train ?? 'unknown',
    tokens: tokens?.train ?? 'unknown',
    learnedTokens: tokens?.learned ?? 'unknown',
    steps: rows ? countSteps(rows.train, train) : 'unknown',
    trainableParameters: model ? trainableParameters(model, adapter) : 'unknown',
    peakMemoryGiB: memory ? peakBytes(memory, saves) / gib : 'unknown',
    trainSeconds: memory ? trainSeconds({ values, facts, saves }) : 'unknown',
  };
}

/** Recomputing layers takes about a third more time. */
const recomputing = 4 / 3;

function trainSeconds({
  values,
  facts,
  saves,
}: {
  values: PlanValues;
  facts: Facts;
  saves: boolean;
}): number | 'unknown' {
  const { model, rows, tokens, throughput } = facts;
  if (!model || !tokens || !throughput) return 'unknown';
  const { train, adapter } = values;
  const share = tokens.train > 0 ? tokens.learned / tokens.train : 0;
  const all = rows ? countSteps(rows.train, { ...train, maxSteps: null }) : 0;
  const passes = train.epochs * (train.maxSteps !== null && all > 0 ? Math.min(1, train.maxSteps / all) : 1);
  const flops = tokens.train * passes * flopsPerToken(model, adapter, share);
  return (flops / throughput.flopsPerSecond) * (saves ? 1 : recomputing);
}
