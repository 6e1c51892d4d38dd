import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeMarketBriefs } from '../../recipes/market-brief/briefs.ts';
import { martletHome, readyEnvironment } from '../../src/envs/index.ts';
import { openGgufWithLlamaCpp } from '../../src/envs/llama-cpp.ts';
import { preTokenizerOf } from '../../src/models/gguf-pretokenizer.ts';
import { exportGguf } from '../../src/models/gguf-write.ts';
import { openTokenizer, tokenizerFrom } from '../../src/models/tokenizer.ts';
import { writeTinyModel } from '../../src/testing/tiny-model.ts';
import { mixedTexts } from '../support/mixed-texts.ts';
import { describeWithOracles, oracle } from '../support/oracle.ts';
import { requireOrSkip } from '../support/skip.ts';
import { requireSmolLm2 } from '../support/smollm2.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'martlet-smollm2-tokens-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** 2,600 texts of prose, code, figures and marks, and what the market briefs say. */
async function mixedCorpus(): Promise<string[]> {
  const out = join(folder, 'briefs.jsonl');
  await writeMarketBriefs({ out });
  const rows = (await readFile(out, 'utf8')).trim().split('\n');
  const briefs = rows.flatMap((row) =>
    (JSON.parse(row) as { messages: { content: string }[] }).messages.slice(1).map(({ content }) => content),
  );
  return [...mixedTexts(2596), ...briefs];
}

describeWithOracles('the tokenizer imported of SmolLM2', () => {
  test('gives the ids of llama.cpp on a mixed corpus; those of transformers differ by its cut alone', async (context) => {
    const ready = readyEnvironment({ name: 'llama-cpp', home: martletHome(process.env) });
    requireOrSkip(context, ready, { kind: 'tool', reason: 'needs the llama-cpp environment: martlet setup llama-cpp' });
    const smolLm2 = await requireSmolLm2(context);
    const definition = JSON.parse(await readFile(join(smolLm2.folder, 'tokenizer.json'), 'utf8')) as {
      model: { vocab: Record<string, number> };
    };
    // The vocabulary itself says how text was cut when it was made: no digit was ever joined to anything.
    expect(Object.keys(definition.model.vocab).filter((token) => /[0-9]./.test(token) || /.[0-9]/.test(token))).toEqual(
      [],
    );

    // The weights do not matter to the ids, so a tiny model carries the vocabulary.
    const model = join(folder, 'model');
    await writeTinyModel(model, { seed: 1, tokenizer: definition });
    const gguf = join(folder, 'model.gguf');
    await exportGguf({ modelFolder: model, file: gguf, dtype: 'F32' });
    const texts = await mixedCorpus();
    const tokenizer = await openTokenizer(smolLm2.folder);
    const ours = texts.map((text) => [...tokenizer.encode(text).ids]);

    await using llamaCpp = await openGgufWithLlamaCpp({ file: gguf, threads: 1, contextTokens: 8, env: process.env });
    expect(texts.map((text) => llamaCpp.tokenize(text, { special: true }))).toEqual(ours);

    // transformers knows no `smollm` and cuts such a file as GPT-2; with that cut the ids are its own, text for text.
    const { ids } = await oracle<{ ids: number[][] }>('tokenize_text', { gguf, texts });
    const { pre_tokenizer } = preTokenizerOf('gpt-2');
    const gpt2 = tokenizerFrom(JSON.stringify({ ...definition, pre_tokenizer }));
    expect(texts.map((text) => [...gpt2.encode(text).ids])).toEqual(ids);
    const others = ids.filter((theirs, index) => theirs.join() !== ours[index]?.join());
    expect(others.length).toBeGreaterThan(50);
    expect(others.length).toBeLessThan(texts.length / 10);
  });
});
