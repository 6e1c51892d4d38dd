import { describe, expect, test } from 'vitest';
import type { PlanValues } from '../schema/plan.ts';
import { loraModules } from '../schema/recipe.ts';
import { peakBytes, savesActivations, trainableParameters } from './memory.ts';
import { linearParameters, loraParameters } from './model-size.ts';
import { countSteps, flopsPerToken } from './predict.ts';
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
    expect(trainableParameters({ model: smallModel, adapter: lora(16) })).toBe(4_884_480);
    expect(loraParameters(smallModel, { rank: 8, targets: ['q_proj'] })).toBe(30 * 8 * (576 + 576));
    expect(trainableParameters({ model: smallModel, adapter: { kind: 'full' } })).toBe(smallModel.parameters);
  });
});

describe('work', () => {
  const gigaflops = (adapter: PlanValues['adapter'], learnedShare: number, saves = true): number =>
    flopsPerToken({ model: smallModel, adapter, learnedShare, saves }) / 1e9;

  test('a LoRA step on SmolLM2-135M costs 0.48 GFLOP a token when 35 % are learned', () => {
    expect(gigaflops(lora(8), 0.35)).toBeCloseTo(0.48, 2);
  });

  test('full fine-tuning costs half as much again', () => {
    const ratio = gigaflops({ kind: 'full' }, 1) / gigaflops(lora(1), 1);
    expect(ratio).toBeGreaterThan(1.45);
    expect(ratio).toBeLessThan(1.5);
  });

  test('computing layers again is one more pass forward, without the head', () => {
    expect(gigaflops(lora(8), 0.35, false) - gigaflops(lora(8), 0.35)).toBeCloseTo(
      (2 * linearParameters(smallModel)) / 1e9,
      9,
    );
  });
});

describe('memory', () => {
  const request = (adapter: PlanValues['adapter'], packTokens = 512) => ({ model: smallModel, adapter, packTokens });
  const gib = (adapter: PlanValues['adapter'], saves: boolean): number => peakBytes(request(adapter), saves) / 2 ** 30;

  // Most memory of the engine's process in two steps and a checkpoint each: docs/decisions/2026-11-24-predictions.md.
  test.each<[string, PlanValues['adapter'], boolean, number]>([
    ['LoRA', lora(16), true, 1.097],
    ['LoRA, computing layers again,', lora(16), false, 0.89],
    ['full fine-tuning', { kind: 'full' }, true, 2.568],
    ['full fine-tuning, computing layers again,', { kind: 'full' }, false, 2.346],
  ])('%s is predicted within 15 %% of what was measured', (_, adapter, saves, measured) => {
    const predicted = gib(adapter, saves);
    expect(predicted / measured).toBeGreaterThan(0.85);
    expect(predicted / measured).toBeLessThan(1.15);
  });

  test('activations are saved while they fit in four fifths of the memory that is known; recomputing takes less', () => {
    const small = request(lora(8));
    expect(savesActivations(small, 2)).toBe(true);
    expect(savesActivations(small, 1)).toBe(false);
    expect(savesActivations(small, 'unknown')).toBe(false);
    expect(gib(lora(8), false)).toBeLessThan(gib(lora(8), true) - 0.25);
  });

  test('full fine-tuning counts its gradient and moments before it saves activations', () => {
    expect(savesActivations(request({ kind: 'full' }), 2.5)).toBe(false);
    expect(savesActivations(request({ kind: 'full' }), 3.5)).toBe(true);
  });
});
