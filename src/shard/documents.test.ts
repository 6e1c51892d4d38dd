import { describe, expect, test } from 'vitest';
import { randomStream, streamKey } from '../core/random.ts';
import type { Sample } from '../schema/sample.ts';
import { type DocumentRules, documentsOf, type Encoded, sharedPrompt, type Tokens } from './documents.ts';

const sample: Sample = {
  id: 'id-1',
  messages: [{ role: 'user', content: 'a' }],
  split: 'train',
  provenance: { source: 'rows.jsonl', file: 'rows.jsonl', line: 1, sha256: '0'.repeat(64) },
};

/** A document whose prompt has `prompt` tokens and whose answer has `answer`. */
function tokens(prompt: number, answer: number): Tokens {
  const length = prompt + answer;
  return {
    ids: Uint32Array.from({ length }, (_, index) => index),
    weights: Float32Array.from({ length }, (_, index) => (index < prompt ? 0 : 1)),
  };
}

const rules = (encoded: Encoded, render: Partial<DocumentRules['render']> = {}): DocumentRules => ({
  layout: 'sequence',
  encode: () => encoded,
  render: { lengthTokens: 10, overflow: 'refuse', ...render },
});
const split: Encoded = { ok: true, value: tokens(3, 2), more: [tokens(9, 4), tokens(5, 2)] };

test('a row that was split becomes its documents, and says so', async () => {
  const made = await documentsOf(sample, rules(split, { lengthTokens: 20 }));
  expect(made).toMatchObject({ split: true, cutTokens: 0 });
  expect('documents' in made && made.documents.map(({ ids }) => ids.length)).toEqual([5, 13, 7]);
  expect(await documentsOf(sample, rules({ ok: true, value: tokens(3, 2), more: [] }))).not.toHaveProperty('split');
});

test('its documents are cut each for itself, never their answers', async () => {
  const made = await documentsOf(sample, rules(split, { overflow: 'truncate-prompt' }));
  expect(made).toMatchObject({ split: true, cutTokens: 3 });
  expect(
    'documents' in made && made.documents.map(({ ids, weights }) => [ids.length, weights.filter(Boolean).length]),
  ).toEqual([
    [5, 2],
    [10, 4],
    [7, 2],
  ]);
  expect(await documentsOf(sample, rules(split))).toMatchObject({ fate: 'too-long', longestTokens: 13 });
});

describe('rows that are too long', () => {
  const long: Encoded = { ok: true, value: tokens(6, 9) };

  test('their answers are cut where the recipe says so, and nowhere else', async () => {
    expect(await documentsOf(sample, rules(long, { overflow: 'truncate-answer' }))).toMatchObject({
      documents: [{ ids: Uint32Array.from({ length: 10 }, (_, index) => index) }],
      cutTokens: 5,
    });
    const questions: Encoded = { ok: true, value: tokens(12, 3) };
    expect(await documentsOf(sample, rules(questions, { overflow: 'truncate-answer' }))).toMatchObject({
      fate: 'too-long',
      reason: expect.stringContaining('nothing learned would be left'),
    });
    for (const overflow of ['refuse', 'drop', 'truncate-prompt', 'split'] as const)
      expect(await documentsOf(sample, rules(long, { overflow, lengthTokens: 7 }))).toMatchObject({ fate: 'too-long' });
  });

  test('a pair is cut alike on both sides, so that its prompt stays one', async () => {
    const pair = { ...sample, rejected: [{ role: 'assistant' as const, content: 'b' }] };
    for (const [overflow, cutTokens] of [
      ['truncate-answer', 5],
      ['truncate-prompt', 10],
    ] as const) {
      const encode = ({ messages }: Sample): Encoded => ({
        ok: true,
        value: messages.length === 1 ? tokens(6, 9) : tokens(6, 2),
      });
      const made = await documentsOf(pair, { ...rules(long, { overflow }), encode, layout: 'pair' });
      expect(made).toMatchObject({ cutTokens });
      if ('documents' in made) expect(sharedPrompt(made.documents)).toBeGreaterThan(0);
    }
  });

  test('a long text is split, and each of its tokens learned once (seeded)', async () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = randomStream(streamKey(21, seed));
      const lengthTokens = 2 + random.below(12);
      const length = 2 + random.below(60);
      const value: Tokens = {
        ids: Uint32Array.from({ length }, () => random.below(1000)),
        weights: Float32Array.from({ length }, () => 0.5 + random.uniform()),
      };
      const made = await documentsOf(
        { ...sample, plain: true },
        rules({ ok: true, value }, { overflow: 'split', lengthTokens }),
      );
      if ('fate' in made) throw new Error(made.reason);
      const learned: [number, number][] = [];
      for (const [piece, { ids, weights }] of made.documents.entries()) {
        expect(ids.length).toBeLessThanOrEqual(lengthTokens);
        if (piece > 0) expect(weights[0]).toBe(0);
        for (let at = 1; at < ids.length; at++) learned.push([ids[at] ?? -1, weights[at] ?? -1]);
      }
      const whole = Array.from({ length: length - 1 }, (_, at) => [value.ids[at + 1], value.weights[at + 1]]);
      expect(learned).toEqual(whole);
      expect(made.split ?? false).toBe(length > lengthTokens);
      expect(made.cutTokens).toBe(0);
    }
  });
});

test('documents from which nothing is learned are left out; a row without any is lost', async () => {
  const some = await documentsOf(sample, rules({ ok: true, value: tokens(3, 0), more: [tokens(3, 2), tokens(4, 2)] }));
  expect('documents' in some && some.documents).toHaveLength(2);
  expect(await documentsOf(sample, rules({ ok: true, value: tokens(3, 0) }))).toMatchObject({ fate: 'no-supervision' });
});

test('rows that are compared cannot be split', async () => {
  const pair = { ...sample, rejected: [{ role: 'assistant' as const, content: 'b' }] };
  expect(await documentsOf(pair, { ...rules(split), layout: 'pair' })).toMatchObject({ fate: 'not-rendered' });
});
