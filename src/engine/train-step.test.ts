import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { normal, randomStream } from '../core/random.ts';
import { mul, neg, quantity, total } from '../methods/expression.ts';
import { sft } from '../methods/sft.ts';
import { writeTinyModel } from '../testing/tiny-model.ts';
import type { TrainDocument } from './learned-positions.ts';
import { loadModel } from './model.ts';
import { globalNorm, openAdamW } from './optimizer.ts';
import { testRuntime } from './test-runtime.ts';
import { scaleOf, type TrainPack, trainStep } from './train-step.ts';
import { freshAdapter } from './trained.ts';
import { openTrainer, type Trainer } from './trainer.ts';

const folder = await mkdtemp(join(tmpdir(), 'martlet-step-'));
afterAll(() => rm(folder, { recursive: true, force: true }));
await writeTinyModel(folder, { seed: 2, headDim: 16 });
const runtime = await testRuntime();

const shape = { rank: 4, scale: 2, dropout: 0, targets: ['q_proj', 'v_proj', 'o_proj', 'down_proj'] } as const;
const values = { clipNorm: 0, weightDecay: 0.01, betas: [0.9, 0.999] as [number, number], epsilon: 1e-8 };

async function open(kind: 'lora' | 'full', loss = sft.loss({})): Promise<Trainer> {
  const model = await loadModel(runtime, folder);
  const trained = freshAdapter(model, shape, 1);
  const random = randomStream(8);
  trained.values.forEach((_, index) => {
    trained.values[index] = 0.1 * normal(random);
  });
  const adapter = kind === 'lora' ? { shape, trained } : null;
  return openTrainer({ runtime, model, adapter, loss, seed: 1, maxTokens: 64, saveActivations: true });
}

const document = (length: number, from: number): TrainDocument => ({
  ids: Array.from({ length }, (_, i) => 3 + ((i * 29 + from * 53) % 250)),
  weights: Array.from({ length }, (_, i) => (i < 2 ? 0 : i % 3 === 0 ? 0.25 : 1)),
});
const unlearned: TrainDocument = { ...document(6, 9), weights: new Array(6).fill(0) };
const documents = [document(9, 1), document(3, 2), document(14, 3), document(5, 4)];

/** The gradient of a step, with the optimiser standing still. */
async function step(trainer: Trainer, packs: readonly TrainPack[], clipNorm = 0) {
  const size = trainer.trained.parameters.size;
  const state = { first: new Float32Array(size), second: new Float32Array(size) };
  const optimizer = { adamW: await openAdamW(runtime), state, step: 0 };
  const before = trainer.trained.values.slice();
  const result = await trainStep({
    trainer,
    optimizer,
    values: { ...values, clipNorm },
    packs,
    step: 0,
    learningRate: 1e-3,
  });
  const after = trainer.trained.values.slice();
  trainer.trained.values.set(before);
  return { ...result, gradient: trainer.gradients.slice(), state, before, after, steps: optimizer.step };
}

const apart = (a: Float32Array, b: Float32Array): number => {
  const difference = a.map((value, i) => value - (b[i] ?? Number.NaN));
  return globalNorm(difference) / globalNorm(b);
};

describe.each(['lora', 'full'] as const)('a step of %s', (kind) => {
  test('has the same loss and gradient however its documents are cut into packs and ordered', async () => {
    const trainer = await open(kind);
    const whole = await step(trainer, [{ documents }]);
    expect(whole.gradientNorm).toBeGreaterThan(1e-3);
    const [a, b, c, d] = documents as [TrainDocument, TrainDocument, TrainDocument, TrainDocument];
    const cuts: (readonly TrainDocument[])[][] = [
      [[a], [b], [c], [d]],
      [
        [d, b],
        [c, a],
      ],
      [[c, d, a, b]],
      [[unlearned, a], [b, c, unlearned, d], [unlearned]],
    ];
    for (const cut of cuts) {
      const other = await step(
        trainer,
        cut.map((each) => ({ documents: each })),
      );
      expect(other.loss).toBeCloseTo(whole.loss, 5);
      expect(apart(other.gradient, whole.gradient)).toBeLessThan(1e-5);
      expect(other.learnedTokens).toBe(whole.learnedTokens);
    }
  });

  test('is scaled as torch clips: to the norm when it is larger, and never up', async () => {
    const trainer = await open(kind);
    const free = await step(trainer, [{ documents }]);
    const bound = free.gradientNorm / 4;
    const clipped = await step(trainer, [{ documents }], bound);
    expect(clipped.gradientNorm).toBe(free.gradientNorm);
    // The first moment is a tenth of the gradient that was applied.
    expect(globalNorm(clipped.state.first) / 0.1).toBeCloseTo(bound, 4);
    const loose = await step(trainer, [{ documents }], free.gradientNorm * 4);
    expect(loose.after).toEqual(free.after);
  });

  test('leaves weights and optimiser alone when loss or gradient is no number', async () => {
    const impossible = neg(total(mul(quantity('weight'), { op: 'log', of: quantity('logProbability') })));
    const steep = total({ op: 'sqrt', of: { op: 'relu', of: quantity('logProbability') } });
    for (const loss of [impossible, steep]) {
      const broken = await step(await open(kind, loss), [{ documents }]);
      expect(broken.gradientNorm).toBeNaN();
      expect(broken.after).toEqual(broken.before);
      expect(globalNorm(broken.state.first) + globalNorm(broken.state.second)).toBe(0);
      expect(broken.steps).toBe(0);
    }
  });
});

test('a step is normalised by the weights that are learned, over all packs; the first token is predicted by nothing', () => {
  const packs = [{ documents: [{ ids: [1, 2, 3], weights: [5, 1, 0.5] }] }, { documents: [unlearned, document(2, 1)] }];
  expect(scaleOf(packs)).toEqual({ stepWeight: 1.5, stepSequences: 3 });
});
