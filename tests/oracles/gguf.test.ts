import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { randomStream } from '../../src/core/random.ts';
import { openGguf } from '../../src/models/gguf.ts';
import { writeGguf } from '../../src/models/gguf-encode.ts';
import { importGguf } from '../../src/models/gguf-import.ts';
import { preTokenizerOf } from '../../src/models/gguf-pretokenizer.ts';
import { blockSizes, type GgufType } from '../../src/models/gguf-quant.ts';
import { exportGguf } from '../../src/models/gguf-write.ts';
import { openSafetensors, writeSafetensors } from '../../src/models/safetensors.ts';
import { openTokenizer } from '../../src/models/tokenizer.ts';
import { writeTinyModel } from '../../src/testing/tiny-model.ts';
import { tinyTokenizerJson } from '../../src/testing/tiny-tokenizer.ts';
import { mixedTexts } from '../support/mixed-texts.ts';
import { describeWithOracles, oracle } from '../support/oracle.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'martlet-gguf-oracle-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Where the half-precision scales of a block stand. */
const scalesAt: Readonly<Partial<Record<GgufType, readonly number[]>>> = {
  Q4_0: [0],
  Q4_1: [0, 2],
  Q5_0: [0],
  Q5_1: [0, 2],
  Q8_0: [0],
  Q4_K: [0, 2],
  Q5_K: [0, 2],
  Q6_K: [208],
  F16: [0],
  BF16: [0],
};

/** Random blocks: every bit is used, and scales stay finite, as what a NaN's bits are is nobody's promise. */
function randomBlocks(type: GgufType, count: number): Uint8Array {
  const random = randomStream(17);
  const size = blockSizes[type][1];
  const bytes = Uint8Array.from({ length: count * size }, () => random.next());
  for (let block = 0; block < count; block++) {
    for (const at of scalesAt[type] ?? [2]) {
      const high = block * size + at + 1;
      bytes[high] = (bytes[high] as number) & 0xbb;
    }
  }
  return bytes;
}

/** SentencePiece with byte fallback; merges in the order of their scores. */
function sentencePieceJson(): Record<string, unknown> {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
  const merges = [
    ['t', 'h'],
    ['▁', 'th'],
    ['th', 'e'],
    ['▁th', 'e'],
    ['▁', 'the'],
    ['1', '2'],
    ['▁', '▁'],
  ];
  const letters = [...new Set(merges.flat().filter((part) => part.length === 1)), 'é', '中', '.'];
  const tokens = [...new Set(['<unk>', '<s>', '</s>', ...bytes, ...letters, ...merges.map((pair) => pair.join(''))])];
  return {
    version: '1.0',
    added_tokens: ['<unk>', '<s>', '</s>'].map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: false },
    post_processor: null,
    decoder: null,
    model: {
      type: 'BPE',
      unk_token: '<unk>',
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
}

describeWithOracles('GGUF against its reference package and transformers', () => {
  test('every type is widened to the same bits', async () => {
    const file = join(folder, 'types.gguf');
    const types = Object.keys(blockSizes) as GgufType[];
    const sources = types.map((type) => {
      const data = randomBlocks(type, (8 * 512) / blockSizes[type][0]);
      return { name: `t.${type}`, type, shape: [8, 512], data: async () => data };
    });
    await writeGguf(file, new Map([['general.architecture', { type: 'string', value: 'llama' }]]), sources);
    const out = join(folder, 'expected.safetensors');
    const { tensors } = await oracle<{ tensors: { name: string; type: string }[] }>('gguf_dequantize', { file, out });
    expect(tensors.map(({ type }) => type)).toEqual(types);
    await using ours = await openGguf(file);
    await using expected = await openSafetensors(out);
    for (const { name } of tensors) {
      const values = await ours.readFloat32(name);
      expect(Buffer.from(values.buffer).equals(await expected.readBytes(name)), name).toBe(true);
    }
  });

  test('Q8_0 is packed to what the reference widens to the nearest', async () => {
    await writeTinyModel(folder, { seed: 2 });
    const [file, out] = [join(folder, 'q8.gguf'), join(folder, 'q8.safetensors')];
    await exportGguf({ modelFolder: folder, file, dtype: 'Q8_0' });
    await oracle('gguf_dequantize', { file, out, names: ['blk.1.ffn_up.weight'] });
    await using before = await openSafetensors(join(folder, 'model.safetensors'));
    await using after = await openSafetensors(out);
    const was = await before.readFloat32('model.layers.1.mlp.up_proj.weight');
    const is = await after.readFloat32('blk.1.ffn_up.weight');
    for (let block = 0; block < was.length; block += 32) {
      const step = Math.max(...was.subarray(block, block + 32).map(Math.abs)) / 127;
      for (let i = block; i < block + 32; i++) expect(Math.abs((was[i] ?? 0) - (is[i] ?? 0))).toBeLessThan(step * 0.55);
    }
  });

  const byteLevel = (name: string) => {
    const { pre_tokenizer, ignore_merges } = preTokenizerOf(name);
    const tiny = tinyTokenizerJson() as { model: { merges: [string, string][] } };
    // Words after a space are joined first, so that merges reach every token: for those that they do not reach, llama.cpp
    // and Llama 3's own definition take whole pieces as they stand in the vocabulary, and transformers' conversion does not.
    const merges = tiny.model.merges.toSorted((a, b) => Number(b[0].startsWith('Ġ')) - Number(a[0].startsWith('Ġ')));
    return { ...tiny, pre_tokenizer, model: { ...tiny.model, merges, ignore_merges } };
  };
  const kinds: [string, () => Record<string, unknown>][] = [
    ['gpt-2', () => byteLevel('gpt-2')],
    ['smollm', () => byteLevel('smollm')],
    ['llama-bpe', () => byteLevel('llama-bpe')],
    ['qwen2', () => byteLevel('qwen2')],
    ['tekken', () => byteLevel('tekken')],
    ['SentencePiece', sentencePieceJson],
  ];
  test.each(kinds)(
    'ids of an imported tokenizer are those of the conversion in transformers: %s',
    async (name, make) => {
      const [model, imported] = [join(folder, 'model'), join(folder, 'imported')];
      await writeTinyModel(model, { seed: 4, tokenizer: make() });
      await mkdir(imported);
      const file = join(folder, 'model.gguf');
      await exportGguf({ modelFolder: model, file, dtype: 'F16' });
      await importGguf({ file, folder: imported });
      // transformers knows no `smollm` and cuts it as GPT-2: see gguf-pretokenizer.ts.
      const texts = mixedTexts(400).filter((text) => name !== 'smollm' || !/\s\s\p{N}|\s[½²]/u.test(text));
      expect(texts.length).toBeGreaterThan(200);
      const { ids } = await oracle<{ ids: number[][] }>('tokenize_text', { gguf: file, texts });
      const tokenizer = await openTokenizer(imported);
      expect(texts.map((text) => [...tokenizer.encode(text).ids])).toEqual(ids);
      const own = await oracle<{ ids: number[][] }>('tokenize_text', { folder: imported, texts });
      expect(own.ids).toEqual(ids);
    },
  );

  test('an imported model gives the logits of the model that was exported', async () => {
    const [model, imported] = [join(folder, 'model'), join(folder, 'imported')];
    await writeTinyModel(model, { seed: 6, architecture: 'qwen3', headDim: 16 });
    await mkdir(imported);
    await exportGguf({ modelFolder: model, file: join(folder, 'm.gguf'), dtype: 'F32' });
    await importGguf({ file: join(folder, 'm.gguf'), folder: imported });
    const logits = async (from: string): Promise<Uint8Array> => {
      const out = join(folder, 'logits.safetensors');
      await oracle('logits', { model: from, sequences: [[1, 5, 9, 40]], out });
      return readFile(out);
    };
    expect(Buffer.compare(await logits(imported), await logits(model))).toBe(0);
  });

  test('a safetensors file is byte for byte what the reference writes', async () => {
    const [mine, theirs] = [join(folder, 'mine.gguf'), join(folder, 'theirs.safetensors')];
    const data = new Uint8Array(new Float32Array([1, 2, 3, 4, 5, 6]).buffer);
    const source = (name: string, shape: number[]) => ({ name, type: 'F32' as const, shape, data: async () => data });
    await writeGguf(mine, new Map([['general.architecture', { type: 'string', value: 'x' }]]), [
      source('b', [2, 3]),
      source('a', [6]),
    ]);
    await oracle('gguf_dequantize', { file: mine, out: theirs });
    const ours = join(folder, 'ours.safetensors');
    await writeSafetensors(ours, [
      { name: 'b', dtype: 'F32', shape: [2, 3], data },
      { name: 'a', dtype: 'F32', shape: [6], data },
    ]);
    expect((await readFile(ours)).equals(await readFile(theirs))).toBe(true);
  });
});
