import type { BySource } from '../core/forecast.ts';
import type { Sample } from '../schema/sample.ts';
import { type DocumentRules, documentsOf } from './documents.ts';

export interface TokenCounts {
  /** Tokens of one pass, estimated where not all rows were encoded. */
  readonly train: number;
  /** Those of them that are learned. */
  readonly learned: number;
  /** Of the longest document there is. */
  readonly longest: number;
  /** Rows that were encoded, where that was not all of them. */
  readonly sampledRows?: number;
  /** Of each source, where every row was encoded. */
  readonly sources?: BySource<'rows' | 'tokens' | 'learned'>;
  /** Rows that become no document and yet refuse nothing, estimated where not all were encoded. */
  readonly lost: number;
  /** Those of them that are too long for `render.lengthTokens`, of the rows that were encoded. */
  readonly tooLong?: {
    readonly rows: number;
    readonly longest: { readonly place: string; readonly tokens: number };
  };
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
  const seen = { rows: 0, tokens: 0, learned: 0, longest: 0, lost: 0 };
  const sources: Record<string, { rows: number; tokens: number; learned: number }> = {};
  let tooLong: TokenCounts['tooLong'];
  for await (const sample of samples) {
    if (seen.rows === mostRows || seen.tokens >= mostTokens) break;
    seen.rows++;
    const made = await documentsOf(sample, rules);
    const { source, file, line } = sample.provenance;
    if ('fate' in made) {
      const isRefused = made.fate === 'too-long' && rules.render.overflow === 'refuse';
      if (!isRefused) seen.lost++;
      if (made.fate !== 'too-long') continue;
      const row = { place: `${file}:${line}`, tokens: made.longestTokens ?? 0 };
      const longest = tooLong && tooLong.longest.tokens >= row.tokens ? tooLong.longest : row;
      tooLong = { rows: (tooLong?.rows ?? 0) + 1, longest };
      continue;
    }
    sources[source] ??= { rows: 0, tokens: 0, learned: 0 };
    const of = sources[source];
    of.rows++;
    for (const { ids, weights } of made.documents) {
      const learned = weights.reduce((count, weight) => count + (weight > 0 ? 1 : 0), 0);
      seen.tokens += ids.length;
      seen.learned += learned;
      of.tokens += ids.length;
      of.learned += learned;
      seen.longest = Math.max(seen.longest, ids.length);
    }
  }
  const scale = seen.rows === 0 ? 1 : rows / seen.rows;
  const all = seen.rows >= rows;
  return {
    train: Math.round(seen.tokens * scale),
    learned: Math.round(seen.learned * scale),
    longest: seen.longest,
    lost: Math.round(seen.lost * scale),
    ...(all ? { sources } : { sampledRows: seen.rows }),
    ...(tooLong && { tooLong }),
  };
}
