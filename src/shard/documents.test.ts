import { expect, test } from 'vitest';
import type { Sample } from '../schema/sample.ts';
import { type DocumentRules, documentsOf, type Encoded, type Tokens } from './documents.ts';

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
  expect(made).toMatchObject({ split: true, truncated: false });
  expect('documents' in made && made.documents.map(({ ids }) => ids.length)).toEqual([5, 13, 7]);
  expect(await documentsOf(sample, rules({ ok: true, value: tokens(3, 2), more: [] }))).not.toHaveProperty('split');
});

test('its documents are cut each for itself, never their answers', async () => {
  const made = await documentsOf(sample, rules(split, { overflow: 'truncate-prompt' }));
  expect(made).toMatchObject({ split: true, truncated: true });
  expect(
    'documents' in made && made.documents.map(({ ids, weights }) => [ids.length, weights.filter(Boolean).length]),
  ).toEqual([
    [5, 2],
    [10, 4],
    [7, 2],
  ]);
  expect(await documentsOf(sample, rules(split))).toMatchObject({ fate: 'too-long', longestTokens: 13 });
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
