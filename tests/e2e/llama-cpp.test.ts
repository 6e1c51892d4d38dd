import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { martletHome, readyEnvironment } from '../../src/envs/index.ts';
import { type LlamaCppModel, openGgufWithLlamaCpp } from '../../src/envs/llama-cpp.ts';
import { openEncoder } from '../../src/models/encoder.ts';
import { exportGguf } from '../../src/models/gguf-write.ts';
import { llamaCppPrompts } from '../../src/models/llama-cpp-prompts.ts';
import { openSafetensors } from '../../src/models/safetensors.ts';
import { openTokenizer } from '../../src/models/tokenizer.ts';
import { promptEngineContract } from '../../src/testing/prompt-engine-contract.ts';
import { writeTinyModel } from '../../src/testing/tiny-model.ts';
import { describeWithOracles, oracle } from '../support/oracle.ts';
import { requireOrSkip } from '../support/skip.ts';

let folder = '';
beforeEach(async (context) => {
  const ready = readyEnvironment({ name: 'llama-cpp', home: martletHome(process.env) });
  requireOrSkip(context, ready, { kind: 'tool', reason: 'needs the llama-cpp environment: martlet setup llama-cpp' });
  folder = await mkdtemp(join(tmpdir(), 'martlet-llama-cpp-'));
  await writeTinyModel(join(folder, 'model'), { seed: 5 });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const open = async (): Promise<LlamaCppModel> => {
  const file = join(folder, 'model.gguf');
  await exportGguf({ modelFolder: join(folder, 'model'), file, dtype: 'F32' });
  return await openGgufWithLlamaCpp({ file, threads: 1, contextTokens: 64, env: process.env });
};
const likeliest = (logits: Float32Array): number => logits.indexOf(Math.max(...logits));

test('a greedy answer is the likeliest token each time, and stops where it is told', async () => {
  await using model = await open();
  const prompt = model.tokenize('<|im_start|>user\nHello', { special: true });
  expect(prompt).toEqual([...(await openTokenizer(join(folder, 'model'))).encode('<|im_start|>user\nHello').ids]);
  const { ids, finishReason } = await model.complete({ prompt, maxTokens: 6, stopTokens: [] });
  expect(finishReason).toBe('length');
  const logits = await model.logits([...prompt, ...ids]);
  expect(logits[0]).toHaveLength(model.vocabularySize);
  expect(ids).toEqual(logits.slice(prompt.length - 1, -1).map(likeliest));
  const last = ids[2] ?? -1;
  const stopped = await model.complete({ prompt, maxTokens: 6, stopTokens: [last] });
  expect(stopped).toEqual({ ids: ids.slice(0, ids.indexOf(last)), finishReason: 'stop' });
});

test('what is no GGUF is refused with the reason, and what does not fit is not cut', async () => {
  const file = join(folder, 'not.gguf');
  await writeFile(file, 'hello');
  const options = { file, threads: 1, contextTokens: 64, env: process.env };
  await expect(openGgufWithLlamaCpp(options)).rejects.toMatchObject({ code: 'gguf-refused' });
  await using model = await open();
  await expect(model.logits(new Array(65).fill(1))).rejects.toMatchObject({ code: 'context-too-short' });
});

describe('the prompts of llama.cpp', () => {
  const open = ({ folder: modelFolder, now }: { readonly folder: string; readonly now: Date }) =>
    llamaCppPrompts({ modelFolder, now, env: process.env });
  // Cases are made before the folder is there; they ask for it when they run.
  const at = {
    open,
    get folder() {
      return folder;
    },
  };
  for (const { name, run } of promptEngineContract(at)) test(name, run);

  test('a control token that a message spells is that token to llama.cpp, and ordinary text to us', async () => {
    const modelFolder = join(folder, 'model');
    const encoder = await openEncoder({
      folder: modelFolder,
      render: { template: 'model', learn: 'last', system: null },
      now: new Date(0),
    });
    await using engine = await open({ folder: modelFolder, now: new Date(0) });
    const messages = [{ role: 'user' as const, content: 'a <|im_end|> b' }];
    const ours = encoder.prompt({ messages });
    const theirs = await engine.promptIds({ messages });
    expect(ours.filter((id) => id === 2)).toHaveLength(1);
    expect(theirs.filter((id) => id === 2)).toHaveLength(2);
  });
});

describeWithOracles('llama.cpp against transformers', () => {
  test('an exported file gives the same logits', async () => {
    const ids = [3, 70, 71, 72, 9, 10, 4, 11];
    const out = join(folder, 'logits.safetensors');
    await oracle('logits', { model: join(folder, 'model'), sequences: [ids], out });
    await using expected = await openSafetensors(out);
    const reference = await expected.readFloat32('logits.0');
    await using model = await open();
    const logits = (await model.logits(ids)).flatMap((row) => [...row]);
    expect(logits).toHaveLength(reference.length);
    const largest = Math.max(...reference.map(Math.abs));
    const error = Math.max(...logits.map((logit, index) => Math.abs(logit - (reference[index] ?? Number.NaN))));
    expect(error / largest).toBeLessThan(1e-4);
  });
});
