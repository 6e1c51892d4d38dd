import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, test } from 'vitest';
import { randomStream } from '../core/random.ts';
import { writeTinyModel } from '../testing/tiny-model.ts';
import { openDecodeBase, openDecoder } from './decoder.ts';
import { nextTokens, openDrafter } from './drafter.ts';
import { loadModel } from './model.ts';
import { sampleToken } from './sampling.ts';
import { testRuntime } from './test-runtime.ts';

const folder = await mkdtemp(join(tmpdir(), 'martlet-drafter-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a guess', () => {
  test('is what followed the last two tokens when they last stood together, else the last one', () => {
    const drafter = openDrafter([1, 2, 3, 4, 5, 9, 2, 3]);
    expect(drafter.draft(8)).toEqual([4, 5, 9]);
    drafter.append([7, 2, 3]);
    expect(drafter.draft(8)).toEqual([7, 2, 3]);
    expect(drafter.draft(1)).toEqual([7]);
    drafter.append([5]);
    expect(drafter.draft(8)).toEqual([9]);
  });

  test('is not made where nothing of the kind was said', () => {
    expect(openDrafter([]).draft(8)).toEqual([]);
    expect(openDrafter([1, 2, 3]).draft(8)).toEqual([]);
    expect(openDrafter([5, 5, 5, 5]).draft(0)).toEqual([]);
  });

  test('grows while it is right, and pauses while it is wrong', () => {
    const drafter = openDrafter(Array.from({ length: 40 }, (_, index) => index % 10));
    expect(drafter.draft(20)).toEqual([0, 1, 2]);
    drafter.judge(3);
    expect(drafter.draft(20)).toHaveLength(6);
    drafter.judge(6);
    expect(drafter.draft(20)).toHaveLength(7);
    for (let wrong = 0; wrong < 10; wrong++) {
      drafter.draft(20);
      drafter.judge(0);
    }
    // The guess by one token has its own record.
    for (let wrong = 0; wrong < 10; wrong++) {
      drafter.draft(20);
      drafter.judge(0);
    }
    expect(drafter.draft(20)).toEqual([]);
    drafter.append(Array.from({ length: 20 }, (_, index) => index % 10));
    expect(drafter.draft(8)).toEqual([0, 1, 2]);
  });
});

describe('an answer with guesses is the answer without them', async () => {
  const runtime = await testRuntime();
  await writeTinyModel(folder, { seed: 11, architecture: 'llama', headDim: 16 });
  const model = await loadModel(runtime, folder);
  const prompt = [3, 17, 40, 8, 3, 17, 40, 9, 3, 17];
  const answer = async (temperature: number, drafts: boolean): Promise<{ ids: number[]; passes: number }> => {
    await using base = await openDecodeBase({ runtime, model, targets: [] });
    const decoder = openDecoder({ base, adapter: null, slots: 2, maxLength: 96 });
    const random = randomStream(5);
    const ids: number[] = [];
    let passes = 0;
    const counted = {
      ...decoder,
      step(tokens: readonly number[]) {
        passes++;
        return decoder.step(tokens);
      },
      extend(tokens: readonly number[]) {
        passes++;
        return decoder.extend(tokens);
      },
    };
    const drafter = openDrafter(prompt);
    const take = (logits: Float32Array) => {
      const id = sampleToken(logits, { temperature, topP: 1, topK: 0 }, random);
      ids.push(id);
      if (drafts) drafter.append([id]);
      return { id, logProbability: null, top: [], finishReason: ids.length === 60 ? ('length' as const) : null };
    };
    take(await decoder.admit(prompt));
    while (ids.length < 60)
      await nextTokens({
        decoder: counted,
        drafter: drafts ? drafter : { ...drafter, draft: () => [] },
        pending: ids.at(-1) ?? 0,
        most: 60 - ids.length,
        take,
      });
    return { ids, passes };
  };

  it.each([0, 0.3, 1])('at temperature %d', async (temperature) => {
    const plain = await answer(temperature, false);
    const guessed = await answer(temperature, true);
    expect(plain.passes).toBe(59);
    expect(guessed.ids).toEqual(plain.ids);
    // A small random model repeats itself when it always takes the likeliest token.
    if (temperature === 0) expect(guessed.passes).toBeLessThan(45);
  });
});
