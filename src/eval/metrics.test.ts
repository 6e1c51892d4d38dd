import { describe, expect, it } from 'vitest';
import { randomStream } from '../core/random.ts';
import { bootstrapMean, bootstrapRatio, perplexity, wilsonShare } from './metrics.ts';

describe('wilsonShare', () => {
  // Reference: statsmodels.stats.proportion.proportion_confint(method='wilson').
  it.each([
    [0, 32, 0, 0.10718],
    [26, 32, 0.64692, 0.91114],
    [32, 32, 0.89282, 1],
    [1, 2, 0.09453, 0.90547],
  ])('%i of %i', (successes, count, low, high) => {
    const metric = wilsonShare(successes, count);
    expect(metric.value).toBe(successes / count);
    expect(metric.low).toBeCloseTo(low, 4);
    expect(metric.high).toBeCloseTo(high, 4);
  });

  it('knows nothing of no rows', () => {
    expect(wilsonShare(0, 0)).toMatchObject({ low: 0, high: 1, count: 0 });
  });
});

describe('bootstrap', () => {
  const random = randomStream(7);
  const values = Array.from({ length: 100 }, () => random.uniform());

  it('is close to the normal interval for many rows, and the same for the same seed', () => {
    const metric = bootstrapMean(values, 1);
    const mean = values.reduce((sum, value) => sum + value, 0) / 100;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 99);
    expect(metric.value).toBeCloseTo(mean, 12);
    expect(metric.low).toBeCloseTo(mean - (1.96 * deviation) / 10, 1.5);
    expect(metric.high).toBeCloseTo(mean + (1.96 * deviation) / 10, 1.5);
    expect(bootstrapMean(values, 1)).toEqual(metric);
    expect(bootstrapMean(values, 2)).not.toEqual(metric);
  });

  it('weighs rows by their denominators', () => {
    expect(bootstrapRatio({ numerators: [1, 30], denominators: [1, 10], seed: 0 })).toMatchObject({
      value: 31 / 11,
      low: 1,
      high: 3,
      count: 11,
    });
  });

  it('claims no interval for a single row', () => {
    expect(bootstrapMean([3], 0)).toEqual({ value: 3, low: 3, high: 3, count: 1, interval: 'none' });
  });
});

it('perplexity is exp of the loss, its interval too', () => {
  const metric = perplexity({ value: 0, low: -1, high: 1, count: 5, interval: 'bootstrap' });
  expect(metric).toEqual({ value: 1, low: Math.exp(-1), high: Math.E, count: 5, interval: 'bootstrap' });
});
