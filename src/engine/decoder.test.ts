import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { sft } from '../methods/sft.ts';
import { writeTinyModel } from '../testing/tiny-model.ts';
import { type DecoderOptions, openDecodeBase, openDecoder } from './decoder.ts';
import type { AdapterShape } from './llama.ts';
import { loadModel } from './model.ts';
import { likeliest } from './sampling.ts';
import { testRuntime } from './test-runtime.ts';
import { freshAdapter } from './trained.ts';
import { openTrainer } from './trainer.ts';

const folder = await mkdtemp(join(tmpdir(), 'martlet-decoder-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const shape = { rank: 4, scale: 2, dropout: 0, targets: ['q_proj', 'v_proj', 'down_proj'] } as const;

describe('what the cache answers is what the whole sequence gives', async () => {
  const runtime = await testRuntime();
  for (const architecture of ['llama', 'mistral', 'qwen2', 'qwen3'] as const) {
    it(architecture, async () => {
      await writeTinyModel(join(folder, architecture), { seed: 7, architecture, headDim: 16 });
      const model = await loadModel(runtime, join(folder, architecture));
      const trained = freshAdapter(model, shape, 3);
      trained.values.forEach((_, index) => {
        trained.values[index] = Math.sin(index) * 0.1;
      });
      const adapter = { shape, trained };
      const trainer = await openTrainer({
        runtime,
        model,
        adapter,
        loss: sft.loss({}),
        seed: 1,
        maxTokens: 64,
        saveActivations: true,
      });
      await using base = await openDecodeBase({ runtime, model, targets: shape.targets });
      const decoder = openDecoder({ base, adapter, slots: 3, maxLength: 32 });
      const sequences = [[5, 9, 40, 3], [61, 2, 7, 7, 8, 100, 44], [12]];
      const { vocab_size: vocabulary } = model.config;
      const compare = async (sequence: readonly number[], logits: Float32Array): Promise<void> => {
        const all = await trainer.logits({ ids: sequence });
        const expected = all.subarray((sequence.length - 1) * vocabulary);
        let worst = 0;
        for (let i = 0; i < vocabulary; i++) worst = Math.max(worst, Math.abs((expected[i] ?? 0) - (logits[i] ?? 0)));
        expect(worst).toBeLessThan(2e-5);
      };
      // Several tokens at a time, some of them taken back, while a sequence is alone.
      const alone = [9, 4, 77];
      await compare(alone, await decoder.admit(alone));
      for (const [more, back] of [
        [[5], 0],
        [[6, 30, 2, 9], 2],
        [[8, 8, 1], 0],
      ] as const) {
        const logits = (await decoder.extend(more)).slice();
        for (const [row, id] of more.entries()) {
          alone.push(id);
          await compare(alone, logits.subarray(row * vocabulary, (row + 1) * vocabulary));
        }
        alone.length -= back;
        decoder.rewind(0, back);
      }
      expect(decoder.room(0)).toBe(32 - alone.length);
      decoder.release(0);

      const next: number[] = [];
      for (const sequence of sequences) {
        const logits = await decoder.admit(sequence);
        await compare(sequence, logits);
        next.push(likeliest(logits));
      }
      for (let turn = 0; turn < 6; turn++) {
        if (turn === 3) {
          // The last sequence takes the place of the first.
          decoder.release(0);
          sequences[0] = sequences.pop() ?? [];
          next[0] = next.pop() ?? 0;
        }
        const logits = (await decoder.step(next)).slice();
        for (const [slot, sequence] of sequences.entries()) {
          sequence.push(next[slot] ?? 0);
          const own = logits.subarray(slot * vocabulary, (slot + 1) * vocabulary);
          await compare(sequence, own);
          next[slot] = likeliest(own);
        }
      }
    });
  }
});

it('adapters of other ranks and targets, and none, share a base, and each answers as its own model', async () => {
  const runtime = await testRuntime();
  const at = join(folder, 'shared');
  await writeTinyModel(at, { seed: 7, architecture: 'llama', headDim: 16 });
  const model = await loadModel(runtime, at);
  const adapterOf = (own: AdapterShape, seed: number): DecoderOptions['adapter'] => {
    const trained = freshAdapter(model, own, seed);
    trained.values.forEach((_, index) => {
      trained.values[index] = Math.sin(index * seed) * 0.1;
    });
    return { shape: own, trained };
  };
  const adapters = [
    adapterOf(shape, 3),
    adapterOf({ rank: 2, scale: 0.7, dropout: 0, targets: ['v_proj', 'gate_proj'] }, 5),
    null,
  ];
  const targets = [...new Set(adapters.flatMap((adapter) => adapter?.shape.targets ?? []))];
  await using base = await openDecodeBase({ runtime, model, targets });
  const decoders = adapters.map((adapter) => openDecoder({ base, adapter, slots: 1, maxLength: 16 }));
  const sequence = [5, 9, 40, 3];
  const answers: Float32Array[] = [];
  for (const [place, adapter] of adapters.entries()) {
    const loss = sft.loss({});
    const trainer = await openTrainer({ runtime, model, adapter, loss, seed: 1, maxTokens: 16, saveActivations: true });
    const { vocab_size: vocabulary } = model.config;
    const expected = (await trainer.logits({ ids: sequence })).subarray((sequence.length - 1) * vocabulary);
    const logits = (await decoders[place]?.admit(sequence))?.slice() ?? new Float32Array();
    expect(logits).toHaveLength(vocabulary);
    const worst = logits.reduce((most, value, i) => Math.max(most, Math.abs(value - (expected[i] ?? 0))), 0);
    expect(worst).toBeLessThan(2e-5);
    answers.push(logits);
  }
  expect(answers[0]).not.toEqual(answers[1]);
  expect(answers[1]).not.toEqual(answers[2]);
  expect(() =>
    openDecoder({ base: { ...base, targets: [] }, adapter: adapters[0] ?? null, slots: 1, maxLength: 16 }),
  ).toThrow('q_proj, v_proj, down_proj');
});
