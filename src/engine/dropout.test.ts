import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { normal, randomStream } from '../core/random.ts';
import { sft } from '../methods/sft.ts';
import { writeTinyModel } from '../testing/tiny-model.ts';
import { openDecodeBase, openDecoder } from './decoder.ts';
import { type AdapterShape, linearNames } from './llama.ts';
import { loadModel } from './model.ts';
import { testRuntime } from './test-runtime.ts';
import { freshAdapter } from './trained.ts';
import { openTrainer, type Trainer } from './trainer.ts';

const folder = await mkdtemp(join(tmpdir(), 'martlet-dropout-'));
afterAll(() => rm(folder, { recursive: true, force: true }));
await writeTinyModel(folder, { seed: 9, headDim: 16 });
const runtime = await testRuntime();
const model = await loadModel(runtime, folder);

const share = 0.3;
const kept = 1 / (1 - share);
/** As wide as the widest input, so that A can let every input through by itself. */
const rank = 64;
const targets = ['v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;

type Fill = (name: string, index: number, width: number) => number;
/** A hands inputs on one by one; with B zero the adapter itself adds nothing. */
const transparent: Fill = (name, index, width) =>
  name.includes('lora_A') && Math.floor(index / width) === index % width ? 1 : 0;

async function open(
  dropout: number,
  options: { readonly seed?: number; readonly saveActivations?: boolean; readonly fill?: Fill } = {},
): Promise<Trainer & { readonly shape: AdapterShape }> {
  const { seed = 1, saveActivations = true, fill = transparent } = options;
  const shape = { rank, scale: 0.5, dropout, targets };
  const trained = freshAdapter(model, shape, 3);
  for (const { name, shape: size } of trained.parameters.entries) {
    const view = trained.parameters.view(trained.values, name);
    view.forEach((_, index) => {
      view[index] = fill(name, index, size[1] ?? 1);
    });
  }
  const adapter = { shape, trained };
  const loss = sft.loss({});
  return { ...(await openTrainer({ runtime, model, adapter, loss, seed, maxTokens: 32, saveActivations })), shape };
}

// The second token is learned from the first, so gradients come from one position alone.
const documents = [{ ids: [40, 61], weights: [0, 1] }];
const scale = { stepWeight: 1, stepSequences: 1 };

async function gradientOf(trainer: Trainer, place: readonly [number, number]) {
  trainer.gradients.fill(0);
  const { loss } = await trainer.accumulate({ documents, scale, place });
  return { loss, gradient: trainer.gradients.slice() };
}

/**
 * What each input was multiplied by. With B zero, dLoss/dB is the slope of the layer's output times the masked input, and
 * nothing else in the model sees the mask: beside the gradient without dropout it shows the mask itself.
 */
function masksOf(trainer: Trainer, seen: Float32Array, without: Float32Array): Map<string, number[]> {
  const { parameters } = trainer.trained;
  const masks = new Map<string, number[]>();
  for (const layer of [0, 1])
    for (const target of targets) {
      const path = `model.layers.${layer}.${linearNames[target]}`;
      const inputs = parameters.entry(`${path}.lora_A.weight`).shape[1] ?? 0;
      const [masked, plain] = [seen, without].map((all) => parameters.view(all, `${path}.lora_B.weight`));
      if (!masked || !plain) throw new Error('no gradient');
      // The output whose slope is largest says it most exactly.
      const size = (row: number): number => Math.abs(plain[row * rank] ?? 0);
      let best = 0;
      for (let row = 0; row < plain.length / rank; row++) if (size(row) > size(best)) best = row;
      const mask = Array.from(
        { length: inputs },
        (_, i) => (masked[best * rank + i] ?? 0) / (plain[best * rank + i] ?? 0),
      );
      masks.set(path, mask);
    }
  return masks;
}

const trainer = await open(share);
const without = await gradientOf(await open(0), [0, 0]);
const masksAt = async (place: readonly [number, number], from: Trainer = trainer): Promise<Map<string, number[]>> =>
  masksOf(from, (await gradientOf(from, place)).gradient, without.gradient);
const agreement = (a: readonly number[], b: readonly number[]): number =>
  a.filter((value, index) => value > 0.5 === (b[index] ?? 0) > 0.5).length / a.length;
const flat = (masks: Map<string, number[]>): number[] => [...masks.values()].flat();

describe('dropout of adapter inputs', () => {
  test('zeroes its share and scales the rest, so that the expected gradient is the one without', async () => {
    const steps = 30;
    let dropped = 0;
    let count = 0;
    let sum = 0;
    for (let step = 0; step < steps; step++) {
      const { loss, gradient } = await gradientOf(trainer, [step, 0]);
      // B is zero, so the model itself is not disturbed.
      expect(loss).toBe(without.loss);
      for (const value of flat(masksOf(trainer, gradient, without.gradient))) {
        expect(Math.min(Math.abs(value), Math.abs(value - kept))).toBeLessThan(1e-3);
        dropped += Number(value < 0.5);
        sum += value;
        count++;
      }
    }
    expect(count).toBe(steps * 2 * (32 + 64 + 32 + 32 + 48));
    const deviation = Math.sqrt((share * (1 - share)) / count);
    expect(Math.abs(dropped / count - share)).toBeLessThan(4 * deviation);
    expect(Math.abs(sum / count - 1)).toBeLessThan(4 * kept * deviation);
  });

  test('is the same for the same seed and place, in a trainer of its own, with activations saved or computed again', async () => {
    const first = await gradientOf(trainer, [5, 1]);
    await gradientOf(trainer, [6, 0]);
    expect((await gradientOf(trainer, [5, 1])).gradient).toEqual(first.gradient);
    expect((await gradientOf(await open(share), [5, 1])).gradient).toEqual(first.gradient);
    const again = await masksAt([5, 1], await open(share, { saveActivations: false }));
    expect(agreement(flat(again), flat(masksOf(trainer, first.gradient, without.gradient)))).toBe(1);
  });

  test('is another for each seed, step, pack, layer and module', async () => {
    const here = await masksAt([5, 1]);
    // Two independent masks agree in share² + (1 - share)² = 58 % of places.
    const others = [
      await masksAt([6, 1]),
      await masksAt([5, 0]),
      await masksAt([5, 1], await open(share, { seed: 2 })),
    ];
    for (const other of others) expect(agreement(flat(here), flat(other))).toBeLessThan(0.68);
    const masks = [...here.values()];
    for (const [index, mask] of masks.entries())
      for (const other of masks.slice(index + 1)) expect(agreement(mask.slice(0, 32), other)).toBeLessThan(0.95);
  });

  const noise = randomStream(4);
  const random = Array.from({ length: 40_000 }, () => 0.05 * normal(noise));
  const disturbed: Fill = (name, index) => random[(index * 7 + name.length * 131) % random.length] ?? 0;

  test('is off wherever nothing is learned: in evaluation, scoring and decoding', async () => {
    const [plain, dropping] = [await open(0, { fill: disturbed }), await open(0.5, { fill: disturbed })];
    const measured = await plain.measure({ documents, scale });
    expect((await dropping.measure({ documents, scale })).loss).toBe(measured.loss);
    expect((await plain.accumulate({ documents, scale, place: [0, 0] })).loss).toBe(measured.loss);
    const trainedLoss = (await dropping.accumulate({ documents, scale, place: [0, 0] })).loss;
    expect(Math.abs(trainedLoss - measured.loss)).toBeGreaterThan(1e-4);

    const ids = [5, 9, 40, 3];
    const logits = await plain.logits({ ids });
    expect(await dropping.logits({ ids })).toEqual(logits);
    const adapter = { shape: dropping.shape, trained: dropping.trained };
    await using base = await openDecodeBase({ runtime, model, targets: adapter.shape.targets });
    const decoder = openDecoder({ base, adapter, slots: 1, maxLength: 8 });
    const vocabulary = model.config.vocab_size;
    const next = await decoder.admit(ids);
    for (let i = 0; i < vocabulary; i++)
      expect(Math.abs((next[i] ?? 0) - (logits[(ids.length - 1) * vocabulary + i] ?? 0))).toBeLessThan(2e-5);
    expect(await dropping.logits({ ids, base: true })).not.toEqual(logits);
  });

  test.each([true, false])(
    'leaves the gradient that of the masked loss (activations saved: %s)',
    async (saveActivations) => {
      const one = await open(share, { fill: disturbed, saveActivations });
      const { gradient } = await gradientOf(one, [3, 2]);
      const { values } = one.trained;
      const start = values.slice();
      const draws = randomStream(6);
      const direction = Float32Array.from(start, () => normal(draws));
      const size = Math.sqrt(direction.reduce((sum, value) => sum + value * value, 0));
      const step = 0.02;
      const lossAt = async (by: number): Promise<number> => {
        values.set(start.map((value, index) => value + (by * (direction[index] ?? 0)) / size));
        return (await gradientOf(one, [3, 2])).loss;
      };
      const numeric = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
      const analytic = gradient.reduce((sum, value, index) => sum + (value * (direction[index] ?? 0)) / size, 0);
      expect(Math.abs(analytic - numeric)).toBeLessThan(5e-3 * Math.abs(numeric) + 1e-5);
    },
  );
});
