import { describe, expect, test } from 'vitest';
import type { PlanValues } from '../schema/plan.ts';
import { loraModules } from '../schema/recipe.ts';
import { linearParameters, loraParameters } from './model-size.ts';
import { countSteps, flopsPerToken, peakBytes, savesActivations, trainableParameters } from './predict.ts';
import { smallModel } from './testing/example-facts.ts';

const lora = (rank: number): PlanValues['adapter'] => ({
  kind: 'lora',
  rank,
  alpha: 2 * rank,
  dropout: 0,
  targets: [...loraModules],
});

describe('steps', () => {
  const steps = (rows: number, epochs: number, maxSteps: number | null = null): number =>
    countSteps(rows, { epochs, rowsPerStep: 16, maxSteps });

  test('each pass ends with a step of what is left', () => {
    expect(steps(384, 1)).toBe(24);
    expect(steps(385, 1)).toBe(25);
    expect(steps(385, 2)).toBe(50);
    expect(steps(0, 1)).toBe(0);
  });

  test('a part of a pass takes that part of the rows', () => {
    expect(steps(384, 0.5)).toBe(12);
    expect(steps(384, 2.5)).toBe(60);
    // 0.1 * 30 is 3.0000000000000004 in binary; it is three rows all the same.
    expect(countSteps(30, { epochs: 0.1, rowsPerStep: 1, maxSteps: null })).toBe(3);
  });

  test('a limit on steps is a limit', () => {
    expect(steps(384, 3, 10)).toBe(10);
    expect(steps(384, 1, 100)).toBe(24);
  });
});

describe('parameters', () => {
  test('a layer of SmolLM2-135M has q, o 576x576, k, v 576x192 and three 576x1536', () => {
    expect(linearParameters(smallModel)).toBe(30 * (2 * 576 * 576 + 2 * 576 * 192 + 3 * 576 * 1536));
  });

  test('an adapter adds rank * (inputs + outputs) to each layer', () => {
    expect(trainableParameters(smallModel, lora(16))).toBe(4_884_480);
    expect(loraParameters(smallModel, { rank: 8, targets: ['q_proj'] })).toBe(30 * 8 * (576 + 576));
    expect(trainableParameters(smallModel, { kind: 'full' })).toBe(smallModel.parameters);
  });
});

describe('work', () => {
  test('a LoRA step on SmolLM2-135M costs 0.48 GFLOP a token when 35 % are learned', () => {
    expect(flopsPerToken(smallModel, lora(8), 0.35) / 1e9).toBeCloseTo(0.48, 2);
  });

  test('full fine-tuning costs half as much again', () => {
    const ratio = flopsPerToken(smallModel, { kind: 'full' }, 1) / flopsPerToken(smallModel, lora(1), 1);
    expect(ratio).toBeGreaterThan(1.45);
    expect(ratio).toBeLessThan(1.5);
  });
});

describe('memory', () => {
  const gib = (packTokens: number, adapter = lora(8)): number =>
    peakBytes({ model: smallModel, adapter, packTokens }) / 2 ** 30;

  test('holds the weights, the runtime and 23 KB a token and layer', () => {
    const perToken = ((gib(513) - gib(512)) * 2 ** 30) / 30;
    expect(perToken).toBeGreaterThan(23_040);
    expect(perToken).toBeLessThan(24_500);
    expect(gib(512)).toBeGreaterThan(1);
    expect(gib(1024)).toBeLessThan(1.8);
  });

  test('a full fine-tune holds gradient and two moments of every weight', () => {
    expect(gib(512, { kind: 'full' }) - gib(512)).toBeGreaterThan((smallModel.parameters * 11) / 2 ** 30);
  });

  test('activations are saved while they fit in four fifths of the memory; recomputing takes less', () => {
    const request = { model: smallModel, adapter: lora(8), packTokens: 768 };
    expect(savesActivations(request, 'unknown')).toBe(true);
    expect(savesActivations(request, 2)).toBe(true);
    expect(savesActivations(request, 1)).toBe(false);
    expect(peakBytes(request, false)).toBeLessThan(peakBytes(request) - 0.3 * 2 ** 30);
  });
});
