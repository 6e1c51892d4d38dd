import { randomStream, streamKey } from '../core/random.ts';
import type { Metric } from '../schema/report.ts';

/** Two-sided 95 % quantile of the standard normal distribution. */
const z95 = 1.959963984540054;
const resamples = 2000;

/**
 * A share with its 95 % score interval (Wilson, 1927): unlike the textbook one it is right for few rows and for
 * shares of 0 and 1.
 */
export function wilsonShare(successes: number, count: number): Metric {
  if (count === 0) return { value: 0, low: 0, high: 1, count: 0, interval: 'wilson' };
  const share = successes / count;
  const square = z95 ** 2;
  const centre = share + square / (2 * count);
  const spread = z95 * Math.sqrt((share * (1 - share)) / count + square / (4 * count ** 2));
  const scale = 1 + square / count;
  // The ends are exact at 0 and 1; arithmetic is not.
  const low = successes === 0 ? 0 : (centre - spread) / scale;
  const high = successes === count ? 1 : (centre + spread) / scale;
  return { value: share, low, high, count, interval: 'wilson' };
}

/** A mean with its 95 % percentile bootstrap interval (Efron, 1979); the same seed gives the same interval. */
export function bootstrapMean(values: readonly number[], seed: number): Metric {
  return bootstrapRatio({ numerators: values, denominators: values.map(() => 1), seed });
}

/**
 * The sum of numerators over the sum of denominators, resampled by row: a loss per token over rows of unequal length, a
 * share of claims over answers with unequally many.
 * @returns `count` is the sum of denominators, rounded: tokens, claims or rows.
 */
export function bootstrapRatio(request: {
  readonly numerators: ArrayLike<number>;
  readonly denominators: ArrayLike<number>;
  readonly seed: number;
}): Metric {
  const { numerators, denominators, seed } = request;
  const rows = numerators.length;
  const value = ratioOver(request, (index) => index);
  const count = Math.round(Array.from(denominators).reduce((sum, item) => sum + item, 0));
  if (rows < 2) return { value, low: value, high: value, count, interval: 'none' };
  const random = randomStream(streamKey(seed, rows));
  const means = Float64Array.from({ length: resamples }, () =>
    ratioOver({ numerators, denominators }, () => random.below(rows)),
  ).sort();
  return { value, low: quantile(means, 0.025), high: quantile(means, 0.975), count, interval: 'bootstrap' };
}

function ratioOver(
  { numerators, denominators }: { readonly numerators: ArrayLike<number>; readonly denominators: ArrayLike<number> },
  pick: (index: number) => number,
): number {
  let above = 0;
  let below = 0;
  for (let index = 0; index < numerators.length; index++) {
    const row = pick(index);
    above += numerators[row] ?? 0;
    below += denominators[row] ?? 0;
  }
  return below === 0 ? 0 : above / below;
}

/** Linear interpolation between the neighbours (type 7 of Hyndman and Fan, 1996). */
function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1);
  const lower = Math.floor(at);
  const left = sorted[lower] ?? 0;
  return left + ((sorted[lower + 1] ?? left) - left) * (at - lower);
}

/** exp(mean negative log-likelihood): how many tokens the model wavers between, on average. */
export function perplexity(loss: Metric): Metric {
  return { ...loss, value: Math.exp(loss.value), low: Math.exp(loss.low), high: Math.exp(loss.high) };
}
