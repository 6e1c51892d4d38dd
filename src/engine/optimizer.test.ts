import { expect, test } from 'vitest';
import { normal, randomStream } from '../core/random.ts';
import { globalNorm, openAdamW } from './optimizer.ts';
import { testRuntime } from './test-runtime.ts';

const settings = { weightDecay: 0.1, betas: [0.9, 0.99] as const, epsilon: 1e-6 };
const draw = (seed: number, length: number, scale = 1): Float32Array => {
  const random = randomStream(seed);
  return Float32Array.from({ length }, () => scale * normal(random));
};

test('AdamW is that of the paper, in double precision, over many steps', async () => {
  const size = 300;
  const state = {
    parameters: draw(1, size),
    gradients: new Float32Array(size),
    first: new Float32Array(size),
    second: new Float32Array(size),
  };
  const adamW = await openAdamW(await testRuntime());
  const expected = Array.from(state.parameters);
  const [m, v] = [new Float64Array(size), new Float64Array(size)];
  const [beta1, beta2] = settings.betas;
  for (let step = 1; step <= 25; step++) {
    // Some gradients are huge, some nothing at all.
    state.gradients.set(draw(step + 1, size, [1, 0, 1e-6, 1e4][step % 4]));
    const learningRate = 0.01 / step;
    const gradientScale = step % 3 === 0 ? 0.25 : 1;
    const range = { start: 0, end: size };
    await adamW.apply({ state, range, step, learningRate, gradientScale, ...settings });
    for (let i = 0; i < size; i++) {
      const gradient = gradientScale * (state.gradients[i] ?? 0);
      m[i] = beta1 * (m[i] ?? 0) + (1 - beta1) * gradient;
      v[i] = beta2 * (v[i] ?? 0) + (1 - beta2) * gradient ** 2;
      const [mean, square] = [(m[i] ?? 0) / (1 - beta1 ** step), (v[i] ?? 0) / (1 - beta2 ** step)];
      const kept = (expected[i] ?? 0) * (1 - learningRate * settings.weightDecay);
      expected[i] = kept - (learningRate * mean) / (Math.sqrt(square) + settings.epsilon);
    }
  }
  expected.forEach((value, i) => {
    expect(Math.abs((state.parameters[i] ?? Number.NaN) - value)).toBeLessThan(1e-5);
  });
});

test('a step touches its range alone, however many slices that takes', async () => {
  const size = (1 << 20) + 70;
  const of = (value: number): Float32Array => new Float32Array(size).fill(value);
  const state = { parameters: of(1), gradients: of(2), first: of(0), second: of(0) };
  const range = { start: 10, end: size - 5 };
  const adamW = await openAdamW(await testRuntime());
  await adamW.apply({ state, range, step: 1, learningRate: 0.5, gradientScale: 1, ...settings, weightDecay: 0 });
  // The first step goes by the learning rate, whatever the gradient is.
  for (const at of [0, 9, size - 5, size - 1])
    expect([state.parameters[at], state.first[at], state.second[at]]).toEqual([1, 0, 0]);
  for (const at of [10, 1 << 20, (1 << 20) + 9, (1 << 20) + 10, size - 6]) {
    expect(state.parameters[at]).toBeCloseTo(0.5, 5);
    expect(state.first[at]).toBeCloseTo(0.2, 6);
  }
});

test('the norm does not lose small numbers among many', () => {
  expect(globalNorm(new Float32Array(1 << 20).fill(1e-3))).toBeCloseTo(1.024, 6);
  expect(globalNorm(Float32Array.of(3, Number.NaN))).toBeNaN();
});
