import { expect, test } from 'vitest';
import { randomStream } from '../core/random.ts';
import { tokenizerFrom } from '../models/tokenizer.ts';
import { fakeEngine } from '../testing/fake-engine.ts';
import { tinyTokenizerJson } from '../testing/tiny-tokenizer.ts';
import { stopFilter } from './stop-strings.ts';
import { streamAnswer } from './stream-answer.ts';

const tokenizer = tokenizerFrom(JSON.stringify(tinyTokenizerJson()));
const ids = (text: string): number[] => Array.from(tokenizer.encode(text).ids);

async function answer(
  given: readonly number[],
  options: { readonly stop?: readonly string[]; readonly top?: number; readonly maxTokens?: number } = {},
) {
  const progress = { text: '', completionTokens: 0 };
  const parts = streamAnswer({
    engine: fakeEngine({ answer: () => given }),
    decode: (list) => tokenizer.decode(list, { skipSpecial: true }),
    model: 'model',
    prompt: [1],
    sampling: { temperature: 0, topP: 1, topK: 0, seed: 0, maxTokens: options.maxTokens ?? 500, stopTokens: [2] },
    stop: options.stop ?? [],
    topLogProbabilities: options.top ?? null,
    signal: new AbortController().signal,
    progress,
  });
  const pieces: string[] = [];
  const tokens: number[] = [];
  let next = await parts.next();
  for (; !next.done; next = await parts.next()) {
    pieces.push(next.value.text);
    tokens.push(...next.value.tokens.map(({ id }) => id));
  }
  return { pieces, tokens, end: next.value, progress };
}

test('characters of several tokens are given whole, and the pieces are the text', async () => {
  const text = 'the price: 12 € 🦅 é 한국 — ok';
  expect(ids('€').length).toBeGreaterThan(1);
  const { pieces, end, progress } = await answer(ids(text), { top: 0 });
  expect(pieces.join('')).toBe(text);
  expect(pieces.every((piece) => !piece.includes('\ufffd'))).toBe(true);
  expect(end).toBe('stop');
  expect(progress).toEqual({ text, completionTokens: ids(text).length });
});

test('any ids, half characters among them, stream to what they decode to at once', async () => {
  const random = randomStream(7);
  for (let round = 0; round < 60; round++) {
    const given = Array.from({ length: 1 + random.below(14) }, () => 3 + random.below(270));
    const { pieces, tokens, progress } = await answer(given, { top: 0 });
    expect(pieces.join('')).toBe(tokenizer.decode(given));
    expect(tokens).toEqual(given);
    expect(progress.completionTokens).toBe(given.length);
  }
});

test('special tokens are no text, and an answer that reaches its limit says so', async () => {
  const [start] = ids('<|im_start|>');
  const { progress, end } = await answer([...ids('the'), start ?? 1, ...ids(' price'), ...ids(' and')], {
    maxTokens: 3,
  });
  expect(progress.text).toBe('the price');
  expect(end).toBe('length');
});

test('a stop string ends the answer wherever tokens cut it, and no part of it is given', async () => {
  const text = 'the close END of the month';
  for (const stop of [['END'], [' END of'], ['never', 'ND'], ['E', 'END']]) {
    const { pieces, tokens, end } = await answer(ids(text), { stop, top: 0 });
    const cut = Math.min(...stop.map((each) => text.indexOf(each)).filter((at) => at >= 0));
    expect(pieces.join('')).toBe(text.slice(0, cut));
    expect(end).toBe('stop');
    // Log-probabilities are those of tokens that begin in the answer.
    expect(tokenizer.decode(tokens).startsWith(text.slice(0, cut))).toBe(true);
  }
  const { pieces, end } = await answer(ids('the price EN'), { stop: ['END'] });
  expect(pieces.join('')).toBe('the price EN');
  expect(end).toBe('stop');
});

test('the stop filter cuts the same however the text is chunked', () => {
  const random = randomStream(3);
  for (let round = 0; round < 300; round++) {
    const draw = (length: number): string => Array.from({ length }, () => 'ab'[random.below(2)]).join('');
    const text = draw(random.below(16));
    const stops = [draw(1 + random.below(4)), draw(1 + random.below(4))];
    // Byte by byte: the first moment a stop string is complete decides.
    let expected = text;
    for (let end = 1; end <= text.length && expected === text; end++) {
      const reached = stops.filter((stop) => text.slice(0, end).endsWith(stop)).map((stop) => end - stop.length);
      if (reached.length > 0) expected = text.slice(0, Math.min(...reached));
      if (reached.length > 0) break;
    }
    const filter = stopFilter(stops);
    let given = '';
    let stopped = false;
    for (let at = 0; at < text.length && !stopped; ) {
      const size = 1 + random.below(3);
      const pushed = filter.push(text.slice(at, at + size));
      given += pushed.text;
      stopped = pushed.stopped;
      at += size;
    }
    if (!stopped) given += filter.end();
    expect(given, JSON.stringify({ text, stops })).toBe(expected);
  }
});
