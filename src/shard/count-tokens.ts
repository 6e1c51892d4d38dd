import type { Sample } from '../schema/sample.ts';
import { type DocumentRules, documentsOf } from './documents.ts';

export interface TokenCounts {
  /** Tokens of one pass, estimated where not all rows were encoded. */
  readonly train: number;
  /** Those of them that are learned. */
  readonly learned: number;
  /** Of the longest document that was encoded. */
  readonly longest: number;
  /** Rows that were encoded, where that was not all of them. */
  readonly sampledRows?: number;
}

export interface CountTokensRequest {
  /** Rows that are trained on, in order. */
  readonly samples: AsyncIterable<Sample>;
  /** How many those are, also where `samples` ends early. */
  readonly rows: number;
  readonly rules: DocumentRules;
  /** Rows encoded at most; 2,000 take about half a second. */
  readonly mostRows?: number;
  /** Nor is a row encoded once there are so many tokens: long rows make an estimate good sooner. */
  readonly mostTokens?: number;
}

/** A fact for a plan: every row encoded as the shard stage would, or the first ones and the rest judged by them. */
export async function countTokens(request: CountTokensRequest): Promise<TokenCounts> {
  const { samples, rows, rules, mostRows = 2000, mostTokens = 2 ** 18 } = request;
  const seen = { rows: 0, tokens: 0, learned: 0, longest: 0 };
  for await (const sample of samples) {
    if (seen.rows === mostRows || seen.tokens >= mostTokens) break;
    seen.rows++;
    const made = await documentsOf(sample, rules);
    if ('fate' in made) {
      seen.longest = Math.max(seen.longest, made.longestTokens ?? 0);
      continue;
    }
    for (const { ids, weights } of made.documents) {
      seen.tokens += ids.length;
      seen.learned += weights.reduce((count, weight) => count + (weight > 0 ? 1 : 0), 0);
      seen.longest = Math.max(seen.longest, ids.length);
    }
  }
  const scale = seen.rows === 0 ? 1 : rows / seen.rows;
  return {
    train: Math.round(seen.tokens * scale),
    learned: Math.round(seen.learned * scale),
    longest: seen.longest,
    ...(seen.rows < rows && { sampledRows: seen.rows }),
  };
}
