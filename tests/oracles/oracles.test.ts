import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeWithOracles, oracle } from '../support/oracle.ts';

interface Trained {
  readonly loss: number;
  readonly gradientNorm: number;
  readonly losses: readonly number[];
}

const documents = [
  { ids: [1, 5, 9, 13, 2], weights: [0, 0, 1, 1, 1] },
  { ids: [1, 7, 2], weights: [0, 1, 0.5] },
];
const steps = { learningRates: [1e-2, 1e-2, 1e-2], betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0, clipNorm: 1 };

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'martlet-oracles-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describeWithOracles('the oracles on a tiny random model', () => {
  const make = () =>
    oracle<{ parameters: number }>('make_model', {
      folder: join(folder, 'model'),
      adapter: { folder: join(folder, 'adapter'), rank: 4, alpha: 8 },
    });

  test('an adapter learns its batch, from the loss that full fine-tuning does not share', async () => {
    await make();
    const shared = { model: join(folder, 'model'), batches: [documents], steps };
    const lora = await oracle<Trained>('train_parity', {
      ...shared,
      adapter: join(folder, 'adapter'),
      out: join(folder, 'lora.safetensors'),
    });
    expect(lora.losses).toHaveLength(3);
    expect(lora.losses[0]).toBeCloseTo(lora.loss, 6);
    expect(lora.losses[2]).toBeLessThan(lora.loss);
    const full = await oracle<Trained>('full_parity', { ...shared, out: join(folder, 'full.safetensors') });
    expect(full.losses[2]).toBeLessThan(full.loss);
    expect(Math.abs(full.loss - lora.loss)).toBeGreaterThan(1e-3);
  });

  test('the loss is the weighted mean: documents apart give the same as together', async () => {
    await make();
    const lossOf = async (batch: typeof documents) =>
      (
        await oracle<Trained>('full_parity', {
          model: join(folder, 'model'),
          batches: [batch],
          out: join(folder, 'out.safetensors'),
        })
      ).loss;
    const [first, second] = [await lossOf(documents.slice(0, 1)), await lossOf(documents.slice(1))];
    expect(await lossOf(documents)).toBeCloseTo((3 * first + 1.5 * second) / 4.5, 6);
  });

  test('greedy answers follow the logits', async () => {
    await make();
    const { completions } = await oracle<{ completions: number[][] }>('generate', {
      model: join(folder, 'model'),
      prompts: [[1, 5, 9]],
      maxTokens: 4,
      stopTokens: [],
    });
    expect(completions[0]).toHaveLength(4);
    const loaded = await oracle<{ missing: string[]; unexpected: string[]; tied: boolean; architecture: string }>(
      'logits',
      { model: join(folder, 'model'), sequences: [[1, 5, 9]], out: join(folder, 'logits.safetensors') },
    );
    expect(loaded).toMatchObject({ missing: [], unexpected: [], tied: true, architecture: 'LlamaForCausalLM' });
  });

  test('a failure carries the traceback, and the next request is answered', async () => {
    await expect(oracle('logits', { model: '/nowhere', sequences: [], out: '' })).rejects.toThrow(/Traceback/);
    const { renderings } = await oracle<{ renderings: { text: string }[] }>('chat_template', {
      template: '{{ messages[0].content }}{% if add_generation_prompt %}>{% endif %}',
      cases: [{ messages: [{ role: 'user', content: 'hi' }], addGenerationPrompt: true }],
    });
    expect(renderings).toEqual([{ text: 'hi>' }]);
  });
});
