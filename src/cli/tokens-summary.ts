import { formatCount } from '../core/units.ts';
import { methodNamed } from '../methods/index.ts';
import { type Encoder, encodeDocuments } from '../models/encoder.ts';
import { documentsOf } from '../pipeline.ts';
import type { PlanValues } from '../schema/plan.ts';
import type { Sample } from '../schema/sample.ts';

/** What the rows of one source come to in tokens. */
export interface TokensSummary {
  readonly source: string;
  /** Rows that become documents; those that do not stand under `lost`, by why. */
  readonly rows: number;
  readonly documents: number;
  readonly tokens: number;
  readonly learnedTokens: number;
  readonly shortestTokens: number;
  readonly medianTokens: number;
  readonly longestTokens: number;
  /** Documents by length: equal steps from 0 to the longest. */
  readonly histogram: readonly number[];
  readonly truncatedRows: number;
  readonly splitRows: number;
  readonly lost: Readonly<Record<string, number>>;
}

interface Tally {
  rows: number;
  documents: number;
  tokens: number;
  learnedTokens: number;
  truncatedRows: number;
  splitRows: number;
  readonly lost: Record<string, number>;
  /** Documents by length. */
  readonly lengths: Map<number, number>;
}

const bars = 16;

/** Encodes every row that is kept, as the shard stage would. */
export async function summariseTokens(
  rows: AsyncIterable<{ readonly sample: Sample | null }>,
  { encoder, values }: { readonly encoder: Encoder; readonly values: Pick<PlanValues, 'method' | 'render'> },
): Promise<readonly TokensSummary[]> {
  const tallies = new Map<string, Tally>();
  const { layout } = methodNamed(values.method.name);
  const rules = { layout, encode: encodeDocuments(encoder), render: values.render };
  for await (const { sample } of rows) {
    if (!sample) continue;
    const { source } = sample.provenance;
    const tally = tallies.get(source) ?? emptyTally();
    tallies.set(source, tally);
    const made = await documentsOf(sample, rules);
    if ('fate' in made) {
      tally.lost[made.fate] = (tally.lost[made.fate] ?? 0) + 1;
      continue;
    }
    tally.rows++;
    if (made.cutTokens > 0) tally.truncatedRows++;
    if (made.split) tally.splitRows++;
    for (const { ids, weights } of made.documents) {
      tally.documents++;
      tally.tokens += ids.length;
      for (const weight of weights) if (weight > 0) tally.learnedTokens++;
      tally.lengths.set(ids.length, (tally.lengths.get(ids.length) ?? 0) + 1);
    }
  }
  return Array.from(tallies, ([source, tally]) => summaryOf(source, tally));
}

function emptyTally(): Tally {
  return {
    rows: 0,
    documents: 0,
    tokens: 0,
    learnedTokens: 0,
    truncatedRows: 0,
    splitRows: 0,
    lost: {},
    lengths: new Map(),
  };
}

function summaryOf(source: string, { lengths, ...tally }: Tally): TokensSummary {
  const sorted = [...lengths].toSorted(([a], [b]) => a - b);
  const longestTokens = sorted.at(-1)?.[0] ?? 0;
  const histogram = new Array<number>(bars).fill(0);
  let seen = 0;
  let medianTokens = 0;
  for (const [length, count] of sorted) {
    const bar = Math.min(bars - 1, Math.floor((length * bars) / (longestTokens + 1)));
    histogram[bar] = (histogram[bar] ?? 0) + count;
    if (seen < tally.documents / 2) medianTokens = length;
    seen += count;
  }
  return { source, ...tally, shortestTokens: sorted[0]?.[0] ?? 0, medianTokens, longestTokens, histogram };
}

/** One line: `rows.jsonl: 1,200 rows, 340,112 tokens, 41.3 % learned, lengths 12 ▂█▅▁ 2,048 (median 240), 3 truncated`. */
export function formatSummary(summary: TokensSummary): string {
  const { source, rows, tokens, learnedTokens, shortestTokens, medianTokens, longestTokens } = summary;
  const share = tokens === 0 ? 0 : (100 * learnedTokens) / tokens;
  const lost = Object.entries(summary.lost).map(([fate, count]) => `${formatCount(count)} ${fate}`);
  return [
    `${source}: ${formatCount(rows)} rows`,
    `${formatCount(tokens)} tokens`,
    `${share.toFixed(1)} % learned`,
    `lengths ${formatCount(shortestTokens)} ${sparkline(summary.histogram)} ${formatCount(longestTokens)} (median ${formatCount(medianTokens)})`,
    `${formatCount(summary.truncatedRows)} truncated`,
    ...(summary.splitRows > 0 ? [`${formatCount(summary.splitRows)} split`] : []),
    ...lost,
  ].join(', ');
}

function sparkline(counts: readonly number[]): string {
  const most = Math.max(1, ...counts);
  return counts.map((count) => (count === 0 ? ' ' : '▁▂▃▄▅▆▇█'.charAt(Math.ceil((count * 8) / most) - 1))).join('');
}
