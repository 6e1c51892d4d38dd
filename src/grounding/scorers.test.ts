import { describe, expect, it } from 'vitest';
import type { Sample } from '../schema/sample.ts';
import { exactMatchScorer, groundingScorer } from './scorers.ts';

const sample: Sample = {
  id: 'a',
  messages: [
    { role: 'user', content: '{"symbol":"AAPL","close":223.02,"previous":204.62,"change":18.40}' },
    { role: 'assistant', content: 'AAPL rose 18.40 to 223.02.' },
  ],
  split: 'heldout',
  provenance: { source: 's', file: 'f', line: 1, sha256: '0'.repeat(64) },
};

describe('groundingScorer', () => {
  it('counts claims by verdict, from the facts in the prompt', async () => {
    const score = await groundingScorer.score({ sample, answer: 'AAPL rose 18.40 to 223.03 on Monday.' });
    expect(score.values).toEqual({ grounded: 0, claims: 5, supported: 3, contradicted: 1, notFound: 1 });
    expect(score.claims).toHaveLength(5);
    expect((await groundingScorer.score({ sample, answer: 'AAPL rose 18.40 to 223.02.' })).values.grounded).toBe(1);
  });

  it('prefers the facts column, and says nothing without facts', async () => {
    const other = { ...sample, facts: { symbol: 'AAPL', close: 1 } };
    expect((await groundingScorer.score({ sample: other, answer: 'It closed at 1.' })).values.supported).toBe(1);
    const none = { ...sample, messages: [{ role: 'user' as const, content: 'Hello' }] };
    expect(await groundingScorer.score({ sample: none, answer: 'It closed at 1.' })).toEqual({
      values: {},
      claims: [],
    });
  });
});

describe('exactMatchScorer', () => {
  it('forgives space at the ends and nothing else', async () => {
    const match = async (answer: string): Promise<unknown> =>
      (await exactMatchScorer.score({ sample, answer })).values.exactMatch;
    expect(await match(' AAPL rose 18.40 to 223.02.\n')).toBe(1);
    expect(await match('AAPL rose 18.4 to 223.02.')).toBe(0);
  });
});
