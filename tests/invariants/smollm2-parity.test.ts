import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { normal, randomStream } from '../../src/core/random.ts';
import type { TrainDocument } from '../../src/engine/learned-positions.ts';
import { loadModel } from '../../src/engine/model.ts';
import { openAdamW } from '../../src/engine/optimizer.ts';
import { writeAdapter } from '../../src/engine/peft.ts';
import { testRuntime } from '../../src/engine/test-runtime.ts';
import { trainStep } from '../../src/engine/train-step.ts';
import { freshAdapter } from '../../src/engine/trained.ts';
import { openTrainer } from '../../src/engine/trainer.ts';
import { sft } from '../../src/methods/sft.ts';
import { openSafetensors } from '../../src/models/safetensors.ts';
import { openTokenizer } from '../../src/models/tokenizer.ts';
import { loraModules } from '../../src/schema/recipe.ts';
import { describeWithOracles, oracle } from '../support/oracle.ts';
import { relativeDistance } from '../support/relative-distance.ts';
import { requireSmolLm2 } from '../support/smollm2.ts';

interface Reference {
  readonly losses: readonly number[];
  readonly gradientNorms: readonly number[];
}

const folder = await mkdtemp(join(tmpdir(), 'martlet-smollm2-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const shape = { rank: 8, scale: 2, dropout: 0, targets: loraModules };
const train = { clipNorm: 1, weightDecay: 0.01, betas: [0.9, 0.999] as [number, number], epsilon: 1e-8 };
const learningRates = [1e-3, 8e-4, 6e-4];
const texts: readonly [string, string][] = [
  [
    '<|im_start|>user\nAAPL closed at 12.5, up from 10.<|im_end|>\n<|im_start|>assistant\n',
    'AAPL rose 25 %.<|im_end|>',
  ],
  ['<|im_start|>user\nIBM: 84.2, 90.1<|im_end|>\n<|im_start|>assistant\n', 'IBM fell in March 2004.<|im_end|>'],
];

describeWithOracles('the embedded engine agrees with transformers and peft on SmolLM2', () => {
  test('loss, logits, every LoRA gradient, and the weights after some steps', async (context) => {
    const { folder: base } = await requireSmolLm2(context);
    const tokenizer = await openTokenizer(base);
    const documents = texts.map(([prompt, answer]) => {
      const given = [...tokenizer.encode(prompt).ids];
      const learned = [...tokenizer.encode(answer).ids];
      return {
        ids: [...given, ...learned],
        weights: [...given.map(() => 0), ...learned.map((_, i) => (i % 4 === 0 ? 0.5 : 1))],
      } satisfies TrainDocument;
    });
    const runtime = await testRuntime();
    const model = await loadModel(runtime, base);
    const trained = freshAdapter(model, shape, 1);
    // A fresh B is zero, and so would be the gradient of A.
    const random = randomStream(7);
    for (const { name } of trained.parameters.entries)
      if (name.includes('lora_B'))
        trained.parameters.view(trained.values, name).forEach((_, i, b) => {
          b[i] = 0.02 * normal(random);
        });
    const adapterFolder = join(folder, 'adapter');
    await mkdir(adapterFolder);
    await writeAdapter({ folder: adapterFolder, shape, trained, base });
    const out = join(folder, 'out.safetensors');
    const steps = { ...train, learningRates };
    const request = { model: base, adapter: adapterFolder, batches: [documents], logits: true, steps, out };
    const theirs = await oracle<Reference>('train_parity', request);
    await using reference = await openSafetensors(out);
    const theirName = (name: string): string => `base_model.model.${name}`;

    const trainer = await openTrainer({
      runtime,
      model,
      adapter: { shape, trained },
      loss: sft.loss({}),
      seed: 1,
      maxTokens: 128,
      saveActivations: true,
    });
    const { parameters } = trained;
    expect(parameters.entries).toHaveLength(30 * 7 * 2);
    const { vocab_size: vocabulary } = model.config;
    for (const [index, { ids, weights }] of documents.entries()) {
      const ours = await trainer.logits({ ids });
      const expected = await reference.readFloat32(`logits.${index}`);
      weights.forEach((weight, token) => {
        if (weight === 0) return;
        const row = [(token - 1) * vocabulary, token * vocabulary] as const;
        const distance = relativeDistance(ours.subarray(...row), expected.subarray(...row));
        expect(distance, `logits before token ${token} of document ${index}`).toBeLessThan(1e-4);
      });
    }
    const state = { first: new Float32Array(parameters.size), second: new Float32Array(parameters.size) };
    const optimizer = { adamW: await openAdamW(runtime), state, step: 0 };
    for (const [step, learningRate] of learningRates.entries()) {
      const packs = [{ documents }];
      const result = await trainStep({ trainer, optimizer, values: train, packs, step, learningRate });
      const close = (ours: number, expected = Number.NaN): number => Math.abs(ours / expected - 1);
      expect(close(result.loss, theirs.losses[step]), `loss of step ${step}`).toBeLessThan(1e-4);
      expect(close(result.gradientNorm, theirs.gradientNorms[step]), `norm of step ${step}`).toBeLessThan(1e-3);
      if (step > 0) continue;
      for (const { name } of parameters.entries) {
        const expected = await reference.readFloat32(`gradient.${theirName(name)}`);
        const distance = relativeDistance(parameters.view(trainer.gradients, name), expected);
        expect(distance, `gradient of ${name}`).toBeLessThan(1e-4);
      }
    }
    expect(theirs.losses[2]).toBeLessThan((theirs.losses[0] ?? 0) * 0.9);
    for (const { name } of parameters.entries) {
      const expected = await reference.readFloat32(`weight.${theirName(name)}`);
      expect(relativeDistance(parameters.view(trained.values, name), expected), `weight of ${name}`).toBeLessThan(2e-3);
    }
  });
});
