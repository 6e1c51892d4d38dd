import { Tokenizer as Oracle } from 'tokenizers';
import { expect, test } from 'vitest';
import { randomStream, streamKey } from '../core/random.ts';
import type { Encoding } from '../spec/tokenizer.ts';
import { tinyTokenizerJson } from '../testing/tiny-tokenizer.ts';
import { wordMerger } from './merge-word.ts';
import { tokenizerFrom } from './tokenizer.ts';
import { isSettled, wordCutOf } from './word-cut.ts';
import { wordEncoder } from './word-encoder.ts';

const byteLevel = (use_regex: boolean) => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex,
});
const isolated = (Regex: string) => ({ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false });
const sequence = (...pretokenizers: unknown[]) => ({ type: 'Sequence', pretokenizers });

/** How the common families cut. */
const cuts = {
  gpt2: byteLevel(true),
  smollm: sequence({ type: 'Digits', individual_digits: true }, byteLevel(true)),
  llama3: sequence(
    isolated(
      String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
    ),
    byteLevel(false),
  ),
  qwen2: sequence(
    isolated(
      String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
    ),
    byteLevel(false),
  ),
};

/** Neighbours of everything that is cut in a way of its own. */
const pieces = [
  ...[' ', '  ', '   ', '\n', '\n\n', '\r\n', '\t', '\u00a0', '\u3000', '\u200b'],
  ...['0', '12', '345', '½', '①', 'Ⅻ', '²'],
  ...[
    "'s",
    "'LL",
    "'",
    "'re",
    '’t',
    'the',
    ' the',
    'The',
    ' close price',
    'é',
    'e\u0301',
    'ß',
    'ǅ',
    'ʼ',
    'Я',
    'ж',
    'λ',
  ],
  ...[
    '中文',
    'かな',
    '한국',
    '😀',
    '👩‍👧',
    '🇩🇪',
    '☕️',
    '—',
    '…',
    '.',
    '-',
    '_',
    '/',
    '{',
    '}',
    '\\',
    '"',
    '€',
    '→',
    '…\n',
  ],
  ...['<|im_end|>', '<|im_start|>user\n', '<tool>', '<tool', '|>', 'ا', 'ſ', '\u0378', '\ufeff', '\u0085', '\u0000'],
];

function randomText(seed: number): string {
  const random = randomStream(streamKey(71, seed));
  return Array.from({ length: 1 + random.below(30) }, () => pieces[random.below(pieces.length)]).join('');
}

/** Where each code point starts, in UTF-16 units, and where the last one ends. */
function startsOf(text: string): number[] {
  let at = 0;
  const starts = [at];
  for (const character of text) {
    at += character.length;
    starts.push(at);
  }
  return starts;
}

const definitionOf = (pre_tokenizer: unknown, normalizer: unknown = null) => {
  const tiny = tinyTokenizerJson();
  const added = tiny.added_tokens as { id: number; content: string; normalized: boolean; special: boolean }[];
  const vocabulary = (tiny.model as { vocab: object }).vocab;
  const tool = { ...added[0], id: Object.keys(vocabulary).length, content: '<tool>', special: false, normalized: true };
  return JSON.stringify({ ...tiny, pre_tokenizer, normalizer, added_tokens: [...added, tool] });
};

const merger = (definition: string) => {
  const parsed = JSON.parse(definition) as Parameters<typeof wordMerger>[0];
  return wordMerger(parsed, new Map(Object.entries(parsed.model.vocab as Record<string, number>)));
};

test.each(Object.entries(cuts).flatMap(([name, cut]) => [false, true].map((merging) => ({ name, cut, merging }))))(
  'words give the ids and offsets of whole texts: $name, merged here: $merging',
  async ({ cut, merging }) => {
    for (const normalizer of [null, { type: 'NFC' }]) {
      const definition = definitionOf(cut, normalizer);
      const oracle = Oracle.fromString(definition);
      // Cuts alike, and is written so that only the crate knows how.
      const whole = tokenizerFrom(definitionOf(sequence(cut), normalizer));
      const wordCut = wordCutOf(JSON.parse(definition));
      if (!wordCut) throw new Error('not cut');
      const words = wordEncoder({
        merge: merging ? merger(definition) : undefined,
        cut: wordCut,
        nfc: normalizer !== null,
        addedIds: new Map([...whole.addedTokens].map(([content, { id }]) => [content, id])),
        separator: { content: '<|im_end|>', id: 2 },
        encode: whole.encode,
      });
      let byWords = 0;
      for (let seed = 0; seed < 250; seed++) {
        const text = randomText(seed);
        const expected = await oracle.encode(text, null, { addSpecialTokens: false });
        const encoding = words.encode(text);
        expect({ text, byWords: encoding !== undefined }).toEqual({
          text,
          byWords: isSettled(text, normalizer !== null),
        });
        if (!encoding) continue;
        byWords++;
        expect({ text, ids: [...encoding.ids] }).toEqual({ text, ids: expected.getIds() });
        const starts = startsOf(text);
        const ranges = expected.getOffsets().flat();
        expect([...encoding.offsets]).toEqual(ranges.map((offset) => starts[offset]));
      }
      expect(byWords).toBeGreaterThan(40);
    }
  },
);

test('each distinct word is asked for once, however many texts it stands in', () => {
  const definition = definitionOf(cuts.gpt2);
  const whole = tokenizerFrom(definition);
  const cut = wordCutOf(JSON.parse(definition));
  if (!cut) throw new Error('not cut');
  const asked: string[] = [];
  const words = wordEncoder({
    cut,
    nfc: false,
    addedIds: new Map(),
    separator: { content: '<|im_end|>', id: 2 },
    encode: (text) => {
      asked.push(text);
      return whole.encode(text);
    },
  });
  for (let index = 0; index < 200; index++) words.encode('the price of the month');
  // 64 texts are compared with the crate's own, and one question was for the words of all of them.
  expect(asked.filter((text) => text !== 'the price of the month')).toEqual([
    ['the', ' price', ' of', ' the', ' month'].join('<|im_end|>'),
  ]);
  expect(asked).toHaveLength(65);
});

test('a tokenizer that cuts otherwise than it says is left to itself', () => {
  const cut = wordCutOf(JSON.parse(definitionOf(cuts.gpt2)));
  if (!cut) throw new Error('not cut');
  // Merges across words: nothing that its definition could mean.
  const encode = (text: string): Encoding => {
    const parts = text.split('<|im_end|>').flatMap((part, index) => (index === 0 ? [part] : ['<|im_end|>', part]));
    let at = 0;
    const offsets = parts.flatMap((part) => {
      const start = at;
      at += part.length;
      return [start, at];
    });
    return {
      ids: Uint32Array.from(parts, (part) => (part === '<|im_end|>' ? 2 : part.length)),
      offsets: Uint32Array.from(offsets),
    };
  };
  const words = wordEncoder({
    cut,
    nfc: false,
    addedIds: new Map(),
    separator: { content: '<|im_end|>', id: 2 },
    encode,
  });
  expect([...(words.encode('two words')?.ids ?? [])]).toEqual([9]);
  expect(words.encode('two words')).toBeUndefined();
});

test.each([
  ['a prefix space', { ...byteLevel(true), add_prefix_space: true }],
  ['SentencePiece', { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true }],
  ['pieces that are removed', sequence({ ...isolated(' '), behavior: 'Removed' }, byteLevel(false))],
  ['three steps', sequence(isolated('a'), isolated('b'), byteLevel(false))],
  ['a pattern of another dialect', sequence(isolated('(?>a+)b'), byteLevel(false))],
])('is not tried with %s', (_, pre_tokenizer) => {
  expect(wordCutOf({ model: { type: 'BPE' }, pre_tokenizer })).toBeUndefined();
});
