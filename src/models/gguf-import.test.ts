import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TinyModelOptions, writeTinyModel } from '../testing/tiny-model.ts';
import { byteAlphabet, tinyTokenizerJson } from '../testing/tiny-tokenizer.ts';
import { readChatTemplate } from './chat-template.ts';
import { readModelConfig } from './config.ts';
import { openGguf } from './gguf.ts';
import { importGguf } from './gguf-import.ts';
import { preTokenizerName, preTokenizerOf } from './gguf-pretokenizer.ts';
import { tokenizerJsonOf } from './gguf-tokenizer.ts';
import { exportGguf, type GgufDtype } from './gguf-write.ts';
import { openSafetensors } from './safetensors.ts';
import { openTokenizer, tokenizerFrom } from './tokenizer.ts';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'martlet-import-'));
});
afterAll(() => rm(root, { recursive: true }));

let made = 0;
async function roundTrip(options: TinyModelOptions, dtype: GgufDtype = 'F32') {
  const name = String(made++);
  const [before, after] = [join(root, `${name}-before`), join(root, `${name}-after`)];
  await writeTinyModel(before, options);
  await mkdir(after);
  const file = join(root, `${name}.gguf`);
  await exportGguf({ modelFolder: before, file, dtype });
  await importGguf({ file, folder: after });
  return { before, after, file };
}

const llama3 = {
  rope_type: 'llama3',
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 8192,
};

describe('a model written as GGUF and imported again', () => {
  const cases: [string, TinyModelOptions][] = [
    ['llama', { seed: 1, architecture: 'llama' }],
    ['llama, untied', { seed: 2, tied: false }],
    ['llama 3 rotation', { seed: 3, headDim: 16, config: { rope_scaling: llama3, rope_theta: 500000 } }],
    ['qwen2', { seed: 4, architecture: 'qwen2' }],
    ['qwen3', { seed: 5, architecture: 'qwen3', headDim: 16 }],
  ];
  it.each(cases)('is the same: %s', async (_, options) => {
    const { before, after } = await roundTrip(options);
    await using a = await openSafetensors(before);
    await using b = await openSafetensors(after);
    expect([...b.names].sort()).toEqual([...a.names].sort());
    for (const name of a.names) expect(await b.readFloat32(name)).toEqual(await a.readFloat32(name));
    expect(await readModelConfig(after)).toEqual(await readModelConfig(before));
    expect(await readChatTemplate(after)).toEqual(await readChatTemplate(before));
    const [was, is] = [await openTokenizer(before), await openTokenizer(after)];
    for (const text of ['the close 12  34', '<|im_start|>user\n😀', ' x\n\n1'])
      expect(is.encode(text)).toEqual(was.encode(text));
  });

  it('stores q and k of llama in order of pairs', async () => {
    const { before, file } = await roundTrip({ seed: 6, hidden: 32, heads: 4 });
    await using gguf = await openGguf(file);
    await using weights = await openSafetensors(before);
    const stored = await gguf.readFloat32('blk.0.attn_q.weight');
    const original = await weights.readFloat32('model.layers.0.self_attn.q_proj.weight');
    // Heads of 8 rows: stored row 1 is the first row of the second half, row 4; stored row 10 is row 9 of head 1.
    expect(stored.slice(32, 64)).toEqual(original.slice(4 * 32, 5 * 32));
    expect(stored.slice(10 * 32, 11 * 32)).toEqual(original.slice(9 * 32, 10 * 32));
  });

  it('keeps 16-bit matrices as they are, and says so', async () => {
    const { before, after } = await roundTrip({ seed: 7, dtype: 'F16' }, 'F16');
    await using a = await openSafetensors(before);
    await using b = await openSafetensors(after);
    for (const name of a.names.filter((name) => !name.includes('norm'))) {
      expect(b.info(name)).toEqual(a.info(name));
      expect(await b.readBytes(name)).toEqual(await a.readBytes(name));
    }
    expect(JSON.parse(await readFile(join(after, 'config.json'), 'utf8')).torch_dtype).toBe('float16');
  });

  it('stays within half a step of Q8_0, and keeps rows that are no whole blocks in F16', async () => {
    const { before, after, file } = await roundTrip({ seed: 8, intermediate: 48 }, 'Q8_0');
    await using gguf = await openGguf(file);
    expect(gguf.info('blk.0.ffn_up.weight').type).toBe('Q8_0');
    expect(gguf.info('blk.0.ffn_down.weight').type).toBe('F16');
    await using a = await openSafetensors(before);
    await using b = await openSafetensors(after);
    const [was, is] = await Promise.all([a, b].map((w) => w.readFloat32('model.layers.0.mlp.up_proj.weight')));
    const largest = Math.max(...(was ?? []).map(Math.abs));
    const furthest = Math.max(...(was ?? []).map((value, i) => Math.abs(value - (is?.[i] ?? 0))));
    expect(furthest).toBeGreaterThan(0);
    expect(furthest).toBeLessThan((largest / 127) * 0.51);
  });
});

describe('tokenizerJsonOf', () => {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
  const pieces = ['<unk>', '<s>', '</s>', ...bytes, '▁', 'a', 'b', 'ab', '▁a', '▁ab', 'ba'];
  const spm = new Map<string, string | number | boolean | string[] | number[]>([
    ['tokenizer.ggml.model', 'llama'],
    ['tokenizer.ggml.tokens', pieces],
    ['tokenizer.ggml.scores', pieces.map((_, id) => (id < 263 ? 0 : ([-3, -2, -1, -4][id - 263] ?? 0)))],
    ['tokenizer.ggml.token_type', pieces.map((_, id) => (id === 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1))],
    ['tokenizer.ggml.bos_token_id', 1],
  ]);
  const named = (...names: string[]): number[] => names.map((name) => pieces.indexOf(name));

  it('joins SentencePiece pieces by score, and falls back to bytes', () => {
    const tokenizer = tokenizerFrom(JSON.stringify(tokenizerJsonOf(spm)));
    // Scores: ab -3, ▁a -2, ▁ab -1, ba -4. ▁a is joined before ab, and then ▁ab.
    expect([...tokenizer.encode('ab').ids]).toEqual(named('▁ab'));
    expect([...tokenizer.encode('bab').ids]).toEqual(named('▁', 'b', 'ab'));
    expect([...tokenizer.encode('<s>é').ids]).toEqual(named('<s>', '<0xC3>', '<0xA9>'));
    expect(tokenizer.decode(tokenizer.encode('ab é').ids)).toBe('ab é');
  });

  it('puts bos in front when special tokens are asked for, as such files mean', () => {
    expect(tokenizerJsonOf(spm).post_processor).toMatchObject({ type: 'TemplateProcessing' });
    expect(tokenizerJsonOf(new Map([...spm, ['tokenizer.ggml.add_bos_token', false]])).post_processor).toBeNull();
  });

  it('cuts digits off first where the vocabulary was trained so', () => {
    const tokens = [...byteAlphabet(), 'ĠĠ', '12'];
    const tokenizer = (pre: string) =>
      tokenizerFrom(
        JSON.stringify(
          tokenizerJsonOf(
            new Map<string, string | string[]>([
              ['tokenizer.ggml.model', 'gpt2'],
              ['tokenizer.ggml.pre', pre],
              ['tokenizer.ggml.tokens', tokens],
              ['tokenizer.ggml.merges', ['Ġ Ġ', '1 2']],
            ]),
          ),
        ),
      );
    const words = (pre: string, text: string) => [...tokenizer(pre).encode(text).ids].map((id) => tokens[id]);
    expect(words('smollm', '  12')).toEqual(['ĠĠ', '1', '2']);
    expect(words('gpt-2', '  12')).toEqual(['Ġ', 'Ġ', '12']);
    expect(words('qwen2', '  12')).toEqual(['Ġ', 'Ġ', '1', '2']);
    expect(() => tokenizer('smolm')).toThrow('not known here');
  });

  it('finds the name of a way to cut, and refuses what has none', async () => {
    for (const name of ['gpt-2', 'smollm', 'llama-bpe', 'qwen2', 'tekken']) {
      const found = preTokenizerName(preTokenizerOf(name)) ?? '';
      expect(preTokenizerOf(found).pre_tokenizer).toEqual(preTokenizerOf(name).pre_tokenizer);
    }
    const split = { type: 'Split', pattern: { Regex: '.' }, behavior: 'Isolated' };
    const tokenizer = { ...tinyTokenizerJson(), pre_tokenizer: split };
    await expect(roundTrip({ seed: 1, tokenizer })).rejects.toMatchObject({ code: 'unsupported-tokenizer' });
  });
});
