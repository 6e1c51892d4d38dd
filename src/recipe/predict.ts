import { formatCount, formatCounted } from '../core/units.ts';
import type { PlanPredictions, PlanValues } from '../schema/plan.ts';
import type { Derived } from './derive.ts';
import type { Facts } from './facts.ts';
import { type MemoryRequest, peakBytes, savesActivations, trainableParameters } from './memory.ts';
import { linearParameters, loraParameters } from './model-size.ts';

type Model = NonNullable<Facts['model']>;

/** Optimiser steps: whole steps of `rowsPerStep` rows, the last of each pass as small as it comes. */
export function countSteps(rows: number, { epochs, rowsPerStep, maxSteps }: StepOptions): number {
  const stepsAPass = Math.ceil(rows / rowsPerStep);
  const whole = Math.floor(epochs);
  const rest = Math.ceil(Math.round(rows * (epochs - whole) * 1e6) / 1e6);
  const steps = whole * stepsAPass + Math.ceil(rest / rowsPerStep);
  return maxSteps === null ? steps : Math.min(steps, maxSteps);
}

/** Rows of the first pass that the steps come to, where they end before its end. */
export function partOfPass(rows: number, { epochs, rowsPerStep, maxSteps }: StepOptions): number | undefined {
  const most = maxSteps === null ? rows : maxSteps * rowsPerStep;
  const reached = Math.min(most, Math.ceil(Math.round(rows * epochs * 1e6) / 1e6));
  return reached < rows ? reached : undefined;
}

export interface StepOptions {
  readonly epochs: number;
  readonly rowsPerStep: number;
  readonly maxSteps: number | null;
}

export interface WorkRequest {
  readonly model: Model;
  readonly adapter: PlanValues['adapter'];
  /** Learned tokens among all, 0 to 1. */
  readonly learnedShare: number;
  /** Whether activations are saved; if not, each layer runs forward twice. */
  readonly saves: boolean;
}

/**
 * Floating-point operations to learn from one token: forward and the gradient of the inputs, 2 a weight each, and the
 * gradient of the weights where they are trained; the head only where a token is learned. Attention is left out: below
 * some thousand tokens it is a few per cent.
 */
export function flopsPerToken({ model, adapter, learnedShare, saves }: WorkRequest): number {
  const linear = linearParameters(model);
  const again = saves ? 0 : 2 * linear;
  const head = model.hidden_size * model.vocab_size * learnedShare;
  if (adapter.kind === 'full') return 6 * (linear + head) + again;
  return 4 * (linear + head) + 6 * loraParameters(model, adapter) + again;
}

/**
 * What training is assumed to reach on a core, in fp32, where nothing was measured yet: less than the 58e9 of a Zen 5 core
 * (docs/decisions/2026-11-24-predictions.md), since most cores are slower.
 */
const roughFlopsPerCore = 40e9;

export interface PredictRequest {
  readonly values: PlanValues;
  readonly engine: 'embedded' | 'torch';
  readonly packTokens: number;
  readonly memoryGiB: number | 'unknown';
  readonly threads: number | 'unknown';
  readonly facts: Facts;
}

type Prediction = Derived<number | 'unknown'>;

/** What to expect, and what each number comes from. Memory and time are those of the embedded engine; of another they are unknown. */
export function predict(request: PredictRequest): Readonly<Record<keyof PlanPredictions, Prediction>> {
  const { values, engine, packTokens, memoryGiB, facts } = request;
  const { model, rows, tokens } = facts;
  const { adapter, train } = values;
  const memory = model && engine === 'embedded' ? { model, adapter, packTokens } : undefined;
  const trained = trainedRows(facts);
  const encoded = tokens?.sampledRows
    ? `judged from the first ${formatCount(tokens.sampledRows)} rows`
    : 'every row encoded';
  const steps = countSteps(trained, train);
  const part = partOfPass(trained, train);
  const inSteps = `in ${formatCounted(steps, 'step')}`;
  const learned = part === undefined ? 'learned' : `of a pass, ${formatCount(part)} of them learned ${inSteps}`;
  const partOf = (count: number): string =>
    part === undefined ? '' : `; about ${formatCount(Math.round((count * part) / trained))} of them ${inSteps}`;
  const unmeasured = engine === 'embedded' ? noModel : `the ${engine} engine was never measured`;
  return {
    rows: rows
      ? { value: trained, reason: `${learned}, ${formatCount(rows.heldout)} held out; ${countedHow(facts)}` }
      : unknown(noRows),
    tokens: tokens
      ? { value: tokens.train, reason: `${encoded}, one pass${partOf(tokens.train)}` }
      : unknown(noTokens(facts)),
    learnedTokens: tokens
      ? {
          value: tokens.learned,
          reason: `${percent(tokens.learned / Math.max(1, tokens.train))} of all${partOf(tokens.learned)}`,
        }
      : unknown(noTokens(facts)),
    steps: rows ? { value: steps, reason: stepsReason(train) } : unknown(noRows),
    trainableParameters: model
      ? { value: trainableParameters({ model, adapter }), reason: `of ${formatCount(model.parameters)}` }
      : unknown(noModel),
    peakMemoryGiB: memory ? peakMemory(memory, memoryGiB) : unknown(unmeasured),
    trainSeconds: memory ? trainSeconds(request, memory) : unknown(unmeasured),
  };
}

/** Rows that become documents; 0 where rows are not known. */
export const trainedRows = ({ rows, tokens }: Facts): number => Math.max(0, (rows?.train ?? 0) - (tokens?.lost ?? 0));

function countedHow({ rows, tokens }: Facts): string {
  const { exact, undecided = [] } = rows ?? {};
  const { lost = 0, sampledRows } = tokens ?? {};
  return [
    exact === false ? 'judged from the first rows, by size' : 'every row read',
    ...(lost > 0 ? [`${sampledRows ? 'about ' : ''}${formatCount(lost)} lost as tokens`] : []),
    ...(undecided.length > 0 ? [`what ${undecided.join(' and ')} will drop is not known yet`] : []),
  ].join(', ');
}

const noModel = 'the model is not known yet';
const noRows = 'the rows are not known yet';
const noTokens = ({ model }: Facts): string => (model ? noRows : noModel);
const unknown = (reason: string): Prediction => ({ value: 'unknown', reason });
const percent = (share: number): string => `${Math.round(share * 100)} %`;

function stepsReason({ epochs, rowsPerStep, maxSteps }: StepOptions): string {
  const passes = `${rowsPerStep} rows a step, ${epochs} ${epochs === 1 ? 'pass' : 'passes'}`;
  return maxSteps === null ? passes : `${passes}, at most ${formatCounted(maxSteps, 'step')}`;
}

function peakMemory(memory: MemoryRequest, memoryGiB: number | 'unknown'): Prediction {
  const saves = savesActivations(memory, memoryGiB);
  return {
    value: peakBytes(memory, saves) / 2 ** 30,
    reason: `the engine; activations are ${saves ? 'saved' : 'computed again'}`,
  };
}

function trainSeconds({ values, facts, threads, memoryGiB }: PredictRequest, memory: MemoryRequest): Prediction {
  const { rows, tokens, throughput } = facts;
  const { train, adapter } = values;
  if (!tokens) return unknown(noTokens(facts));
  const measured = throughput?.flopsPerSecond;
  const speed = measured ?? (threads === 'unknown' ? undefined : threads * roughFlopsPerCore);
  if (speed === undefined) return unknown('the machine is not known');
  const learnedShare = tokens.train > 0 ? tokens.learned / tokens.train : 0;
  const all = rows ? countSteps(trainedRows(facts), { ...train, maxSteps: null }) : 0;
  const passes = train.epochs * (train.maxSteps !== null && all > 0 ? Math.min(1, train.maxSteps / all) : 1);
  const saves = savesActivations(memory, memoryGiB);
  const flops = tokens.train * passes * flopsPerToken({ model: memory.model, adapter, learnedShare, saves });
  const gigaflops = `${Math.round(speed / 1e9)} GFLOP/s`;
  return {
    value: flops / speed,
    reason:
      measured === undefined
        ? `rough: ${gigaflops} assumed; the first run here measures it`
        : `${gigaflops}, as ${throughput?.from ?? 'training here'} reached`,
  };
}
