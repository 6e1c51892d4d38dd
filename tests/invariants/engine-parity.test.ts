import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { TrainDocument } from '../../src/engine/learned-positions.ts';
import { loadModel } from '../../src/engine/model.ts';
import { openAdamW } from '../../src/engine/optimizer.ts';
import { readAdapter } from '../../src/engine/peft.ts';
import { testRuntime } from '../../src/engine/test-runtime.ts';
import { trainStep } from '../../src/engine/train-step.ts';
import { openTrainer } from '../../src/engine/trainer.ts';
import { sft } from '../../src/methods/sft.ts';
import { openSafetensors } from '../../src/models/safetensors.ts';
import { describeWithOracles, oracle } from '../support/oracle.ts';
import { relativeDistance } from '../support/relative-distance.ts';

interface Reference {
  readonly loss: number;
  readonly gradientNorm: number;
  readonly losses: readonly number[];
  readonly gradientNorms: readonly number[];
}

const folder = await mkdtemp(join(tmpdir(), 'martlet-parity-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const document = (length: number, from: number): { ids: number[]; weights: number[] } => ({
  ids: Array.from({ length }, (_, i) => 3 + ((i * 17 + from * 31) % 90)),
  weights: Array.from({ length }, (_, i) => (i < 3 ? 0 : i % 4 === 0 ? 0.5 : 1)),
});
const batches = [
  [document(9, 1), document(17, 2), document(5, 3), document(11, 4)],
  [document(13, 5), document(6, 6)],
];
/** The same documents, cut into packs: nothing may change. */
const packsOf = (batch: readonly TrainDocument[], cut: number): { documents: readonly TrainDocument[] }[] =>
  cut === 0 ? [{ documents: batch }] : [{ documents: batch.slice(0, cut) }, { documents: batch.slice(cut) }];

const train = { clipNorm: 1, weightDecay: 0.01, betas: [0.9, 0.999] as [number, number], epsilon: 1e-8 };
const learningRates = Array.from({ length: 10 }, (_, i) => 1e-2 * (1 - i / 20));
const steps = { ...train, learningRates };

const cases = ['llama', 'mistral', 'qwen2', 'qwen3'].flatMap((modelType) =>
  (['lora', 'full'] as const).flatMap((kind) =>
    [true, false].map((saveActivations) => ({ modelType, kind, saveActivations })),
  ),
);

describeWithOracles('the embedded engine agrees with transformers and peft', () => {
  for (const { modelType, kind, saveActivations } of cases) {
    test(`${modelType}, ${kind}, activations ${saveActivations ? 'saved' : 'computed again'}`, async () => {
      const name = `${modelType}-${kind}`;
      const model = join(folder, name, 'model');
      const adapterFolder = join(folder, name, 'adapter');
      const tied = modelType !== 'mistral';
      await oracle('make_model', {
        folder: model,
        modelType,
        config: { head_dim: 16, tie_word_embeddings: tied },
        adapter: { folder: adapterFolder, rank: 4, alpha: 8 },
      });
      const out = join(folder, name, 'out.safetensors');
      const theirs = await oracle<Reference>(kind === 'lora' ? 'train_parity' : 'full_parity', {
        model,
        adapter: adapterFolder,
        batches,
        logits: true,
        steps,
        out,
      });
      const reference = await openSafetensors(out);
      const runtime = await testRuntime();
      const loaded = await loadModel(runtime, model);
      const adapter = kind === 'lora' ? await readAdapter(adapterFolder, loaded) : null;
      const trainer = await openTrainer({
        runtime,
        model: loaded,
        adapter,
        loss: sft.loss({}),
        seed: 1,
        maxTokens: 64,
        saveActivations,
      });
      const { parameters } = trainer.trained;
      const theirName = (ours: string): string => (kind === 'lora' ? `base_model.model.${ours}` : ours);

      for (const [index, { ids }] of (batches[0] ?? []).entries()) {
        const logits = await trainer.logits({ ids });
        expect(
          relativeDistance(logits, await reference.readFloat32(`logits.${index}`)),
          `logits of document ${index}`,
        ).toBeLessThan(1e-4);
      }
      const optimizer = {
        adamW: await openAdamW(runtime),
        state: { first: new Float32Array(parameters.size), second: new Float32Array(parameters.size) },
        step: 0,
      };
      for (const [step, learningRate] of learningRates.entries()) {
        const packs = packsOf(batches[step % 2] ?? [], step % 2 === 0 ? 1 : 0);
        const result = await trainStep({ trainer, optimizer, values: train, packs, step, learningRate });
        expect(Math.abs(result.loss / (theirs.losses[step] ?? 0) - 1), `loss of step ${step}`).toBeLessThan(1e-4);
        expect(
          Math.abs(result.gradientNorm / (theirs.gradientNorms[step] ?? 0) - 1),
          `norm of step ${step}`,
        ).toBeLessThan(1e-3);
        if (step > 0) continue;
        for (const { name: parameter } of parameters.entries) {
          const gradient = await reference.readFloat32(`gradient.${theirName(parameter)}`);
          expect(
            relativeDistance(parameters.view(trainer.gradients, parameter), gradient),
            `gradient of ${parameter}`,
          ).toBeLessThan(1e-4);
        }
      }
      for (const { name: parameter } of parameters.entries) {
        const weight = await reference.readFloat32(`weight.${theirName(parameter)}`);
        expect(
          relativeDistance(parameters.view(trainer.trained.values, parameter), weight),
          `weight of ${parameter}`,
        ).toBeLessThan(2e-3);
      }
      await reference.close();
    });
  }
});
