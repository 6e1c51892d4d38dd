import type { Sample } from '../schema/sample.ts';
import type { Scorer } from '../spec/scorer.ts';
import { checkClaims, isGroundedBrief } from './check-claims.ts';
import { type Facts, factsFromMessages } from './facts.ts';

/**
 * `grounded` (0 or 1), and how many claims there are, in all and by verdict. An answer to a row without facts scores
 * nothing.
 */
export const groundingScorer: Scorer = {
  name: 'grounding',
  score({ sample, answer }) {
    const facts = factsOf(sample);
    if (!facts) return { values: {}, claims: [] };
    const claims = checkClaims({ answer, facts });
    const count = (verdict: string): number => claims.filter((claim) => claim.verdict === verdict).length;
    return {
      values: {
        grounded: isGroundedBrief(claims, facts) ? 1 : 0,
        claims: claims.length,
        supported: count('supported'),
        contradicted: count('contradicted'),
        notFound: count('not-found'),
      },
      claims,
    };
  },
};

/** Whether the answer is the reference, letter for letter but for space at its ends. */
export const exactMatchScorer: Scorer = {
  name: 'exact-match',
  score: ({ sample, answer }) => ({ values: { exactMatch: answer.trim() === referenceAnswer(sample).trim() ? 1 : 0 } }),
};

/** The facts an answer to a row is held against: its own column, or the JSON in its last user message. */
export function factsOf(sample: Pick<Sample, 'facts' | 'messages'>): Facts | undefined {
  return sample.facts ?? factsFromMessages(sample.messages);
}

/** The last answer of a row, as text; empty when it has none. */
export function referenceAnswer(sample: Pick<Sample, 'messages'>): string {
  const content = sample.messages.findLast((message) => message.role === 'assistant')?.content;
  if (typeof content === 'string') return content;
  return content?.map((part) => (part.type === 'text' ? part.text : '')).join('') ?? '';
}
