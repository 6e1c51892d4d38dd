import type { PlanValues } from '../schema/plan.ts';

/**
 * The learning rate of a step, counted from 0: it rises linearly over the warm-up (the first step is not wasted on 0), then falls
 * from the peak to the minimum along half a cosine or a line, or stays.
 */
export function learningRateAt(
  step: number,
  steps: number,
  train: Pick<PlanValues['train'], 'learningRate' | 'schedule' | 'warmup' | 'minLearningRate'>,
): number {
  const { learningRate: peak, minLearningRate: low } = train;
  const warm = Math.ceil(train.warmup * steps);
  if (step < warm) return (peak * (step + 1)) / warm;
  const progress = (step - warm) / Math.max(1, steps - warm);
  switch (train.schedule) {
    case 'constant':
      return peak;
    case 'linear':
      return low + (peak - low) * (1 - progress);
    case 'cosine':
      return low + (peak - low) * 0.5 * (1 + Math.cos(Math.PI * progress));
  }
}
