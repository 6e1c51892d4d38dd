import type { PlanValues } from '../schema/plan.ts';
import type { OptimizerState } from './checkpoint-files.ts';
import type { TrainDocument } from './learned-positions.ts';
import { type AdamW, globalNorm } from './optimizer.ts';
import type { StepScale, Trainer } from './trainer.ts';

/** Documents computed at once. */
export interface TrainPack {
  readonly documents: readonly TrainDocument[];
}

export interface Optimizer {
  readonly adamW: AdamW;
  readonly state: OptimizerState;
  /** Steps applied. */
  step: number;
}

/** What every pack of a step is normalised by, so that how a step is cut into packs changes nothing. */
export function scaleOf(packs: readonly TrainPack[]): StepScale {
  let stepWeight = 0;
  let stepSequences = 0;
  for (const { documents } of packs)
    for (const { weights } of documents) {
      stepSequences++;
      for (let i = 1; i < weights.length; i++) stepWeight += weights[i] ?? 0;
    }
  return { stepWeight, stepSequences };
}

export interface TrainStepRequest {
  readonly trainer: Trainer;
  readonly optimizer: Optimizer;
  readonly values: Pick<PlanValues['train'], 'clipNorm' | 'weightDecay' | 'betas' | 'epsilon'>;
  readonly packs: readonly TrainPack[];
  /** Counted from 0. */
  readonly step: number;
  readonly learningRate: number;
}

export interface TrainStepResult {
  readonly loss: number;
  /** Before clipping. */
  readonly gradientNorm: number;
  readonly tokens: number;
  readonly learnedTokens: number;
}

/** Gradient of all packs, global-norm clipping, AdamW. When loss or gradient is no number, the weights stay as they are. */
export async function trainStep(request: TrainStepRequest): Promise<TrainStepResult> {
  const { trainer, optimizer, packs, step, learningRate } = request;
  const scale = scaleOf(packs);
  const sum = { loss: 0, tokens: 0, learnedTokens: 0 };
  trainer.gradients.fill(0);
  for (const [index, { documents }] of packs.entries()) {
    const result = await trainer.accumulate({ documents, scale, place: [step, index] });
    sum.loss += result.loss;
    sum.tokens += result.tokens;
    sum.learnedTokens += result.learnedTokens;
    if (!Number.isFinite(sum.loss)) return { ...sum, gradientNorm: Number.NaN };
  }
  const gradientNorm = globalNorm(trainer.gradients);
  if (!Number.isFinite(gradientNorm)) return { ...sum, gradientNorm };
  const { clipNorm, weightDecay, betas, epsilon } = request.values;
  const { parameters, values } = trainer.trained;
  const common = {
    state: { parameters: values, gradients: trainer.gradients, ...optimizer.state },
    step: step + 1,
    learningRate,
    betas,
    epsilon,
    // torch.nn.utils.clip_grad_norm_ divides by norm + 1e-6 and never scales up.
    gradientScale: clipNorm > 0 ? Math.min(1, clipNorm / (gradientNorm + 1e-6)) : 1,
  };
  await optimizer.adamW.apply({ ...common, range: { start: 0, end: parameters.matrixSize }, weightDecay });
  await optimizer.adamW.apply({
    ...common,
    range: { start: parameters.matrixSize, end: parameters.size },
    weightDecay: 0,
  });
  optimizer.step = step + 1;
  return { ...sum, gradientNorm };
}
