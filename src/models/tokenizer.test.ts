import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tokenizer as Oracle } from 'tokenizers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeTinyModel } from '../testing/tiny-model.ts';
import { tinyTokenizerJson } from '../testing/tiny-tokenizer.ts';
import { readChatTemplate } from './chat-template.ts';
import { openTokenizer, tokenizerFrom } from './tokenizer.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'martlet-tokenizer-'));
  await writeTinyModel(folder, { seed: 1 });
});
afterAll(() => rm(folder, { recursive: true }));

const texts = [
  'the close price is the change of the month',
  '  two  spaces\n\nand\tlines ',
  'a😀é中 b👩‍👩‍👧e\u0301',
  'héllo 世界, ①½',
  '<|im_start|>user\nthe<|im_end|>\n',
  '<|im_end|',
  '\u0000\u0007',
  '',
];

describe('openTokenizer', () => {
  it('gives the ids of the reference crate', async () => {
    const tokenizer = await openTokenizer(folder);
    const oracle = Oracle.fromFile(join(folder, 'tokenizer.json'));
    for (const text of texts) {
      const expected = await oracle.encode(text, null, { addSpecialTokens: false });
      expect([...tokenizer.encode(text).ids]).toEqual(expected.getIds());
    }
  });

  it('gives offsets in UTF-16 units that cover the text', async () => {
    const tokenizer = await openTokenizer(folder);
    for (const text of texts) {
      const { ids, offsets } = tokenizer.encode(text);
      let end = 0;
      for (let i = 0; i < ids.length; i++) {
        const [from, to] = [offsets[2 * i] as number, offsets[2 * i + 1] as number];
        // The bytes of one character may be several tokens, each standing for all of it.
        expect(from === end || (to === end && from < end)).toBe(true);
        end = to;
        const plain = tokenizer.decode([ids[i] as number]);
        if (!plain.includes('\ufffd')) expect(text.slice(from, to)).toBe(plain);
      }
      expect(end).toBe(text.length);
    }
  });

  it('decodes to the same text, with and without special tokens', async () => {
    const tokenizer = await openTokenizer(folder);
    for (const text of texts) expect(tokenizer.decode(tokenizer.encode(text).ids)).toBe(text);
    const { ids } = tokenizer.encode('<|im_start|>the<|im_end|>');
    expect(tokenizer.decode(ids, { skipSpecial: true })).toBe('the');
  });

  it('knows its vocabulary', async () => {
    const tokenizer = await openTokenizer(folder);
    expect(tokenizer.addedTokens.get('<|im_end|>')).toEqual({ id: 2, special: true });
    expect(tokenizer.tokenOf(tokenizer.idOf('Ġthe') ?? -1)).toBe('Ġthe');
    expect(tokenizer.idOf('nothing')).toBeUndefined();
    expect(tokenizer.tokenOf(tokenizer.vocabularySize)).toBeUndefined();
  });

  it('says what is missing or wrong', async () => {
    await expect(openTokenizer(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'tokenizer-missing' });
    expect(() => tokenizerFrom('{"model":{}}')).toThrow('no model.vocab');
    const unknown = tokenizerFrom('{"model":{"type":"Wizard","vocab":{}}}');
    expect(() => unknown.encode('a')).toThrow('the tokenizer refused');
    expect(() => unknown.decode([0])).toThrow('the tokenizer refused');
  });
});

describe('encodeOrdinary', () => {
  it('never gives an added token, and is equal otherwise', async () => {
    const tokenizer = await openTokenizer(folder);
    for (const text of texts) {
      const { ids, offsets } = tokenizer.encodeOrdinary(text);
      expect(tokenizer.decode(ids)).toBe(text);
      expect([...ids].filter((id) => id < 3)).toEqual([]);
      if (!text.includes('<|im_')) expect({ ids, offsets }).toEqual(tokenizer.encode(text));
    }
  });

  const added = (id: number, content: string, special = true) => ({
    id,
    content,
    special,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
  });

  it('holds for Unigram, whose lattice would find the control token, and keeps the unknown token', () => {
    const vocab = [
      ['<unk>', 0],
      ['</s>', -1],
      ['<', -3],
      ['/', -3],
      ['s', -3],
      ['>', -3],
      ['▁', -3],
    ];
    const tokenizer = tokenizerFrom(
      JSON.stringify({
        version: '1.0',
        added_tokens: [added(0, '<unk>'), added(1, '</s>')],
        normalizer: { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
        model: { type: 'Unigram', unk_id: 0, vocab, byte_fallback: false },
      }),
    );
    expect([...tokenizer.encode('</s> s').ids]).toEqual([1, 6, 4]);
    expect([...tokenizer.encodeOrdinary('</s> s').ids]).toEqual([2, 3, 4, 5, 6, 4]);
    expect([...tokenizer.encodeOrdinary('s?').ids]).toEqual([4, 0]);
  });

  it('holds for merges that would build the control token, and for what a normaliser makes', () => {
    const vocab = { '<': 0, s: 1, '>': 2, '<s': 3, '<s>': 4 };
    const tokenizer = tokenizerFrom(
      JSON.stringify({
        version: '1.0',
        added_tokens: [added(4, '<s>')],
        normalizer: { type: 'NFKC' },
        model: {
          type: 'BPE',
          vocab,
          merges: [
            ['<', 's'],
            ['<s', '>'],
          ],
        },
      }),
    );
    expect([...tokenizer.encode('＜s＞').ids]).toEqual([4]);
    expect([...tokenizer.encodeOrdinary('＜s＞<s>').ids]).toEqual([3, 2, 3, 2]);
  });

  it('leaves white space that a vocabulary keeps among its added tokens', () => {
    const definition = tinyTokenizerJson() as { added_tokens: unknown[] };
    const tokenizer = tokenizerFrom(
      JSON.stringify({
        ...definition,
        added_tokens: [...definition.added_tokens, added(307, '<b>', false), added(308, '\n\n', false)],
      }),
    );
    expect([...tokenizer.encodeOrdinary('\n\n').ids]).toEqual([308]);
    expect([...tokenizer.encodeOrdinary('<|im_end|>\n\n').ids].at(-1)).toBe(308);
  });
});

describe('readChatTemplate', () => {
  it('reads template and special tokens, the file beside the configuration first', async () => {
    const template = await readChatTemplate(folder);
    expect(template.source).toContain('<|im_start|>');
    expect(template.specialTokens).toEqual({
      bos_token: '<|im_start|>',
      eos_token: '<|im_end|>',
      pad_token: '<|endoftext|>',
    });
    const other = join(folder, 'other');
    await writeTinyModel(other, { seed: 1 });
    await writeFile(join(other, 'chat_template.jinja'), 'mine');
    expect((await readChatTemplate(other)).source).toBe('mine');
    expect((await readChatTemplate(other)).fingerprint).not.toBe(template.fingerprint);
  });

  it('takes the default of several, and tokens written as objects', async () => {
    const named = join(folder, 'named');
    await writeTinyModel(named, { seed: 1 });
    const chat_template = [
      { name: 'tool_use', template: 't' },
      { name: 'default', template: 'd' },
    ];
    await writeFile(
      join(named, 'tokenizer_config.json'),
      JSON.stringify({ chat_template, eos_token: { content: '</s>' } }),
    );
    expect(await readChatTemplate(named)).toMatchObject({ source: 'd', specialTokens: { eos_token: '</s>' } });
    await writeFile(join(named, 'tokenizer_config.json'), '{}');
    await expect(readChatTemplate(named)).rejects.toMatchObject({ code: 'template-missing' });
  });
});
