import type { EncodedSample } from './encode-sample.ts';
import type { Span, SpanSource } from './template.ts';

/** Some of a row's tokens, with their weights there. */
export interface EncodedPart {
  readonly ids: Uint32Array;
  readonly weights: Float32Array;
  /** The token of the row it begins with. */
  readonly from: number;
}

/** A row as if it were these of its tokens alone: places in text and tokens count from the first of them. */
export function partOfEncoded(whole: EncodedSample, { ids, weights, from }: EncodedPart): EncodedSample {
  const to = from + ids.length;
  if (ids.length === whole.ids.length) return whole;
  const offsets = whole.offsets.slice(from * 2, to * 2);
  const start = offsets[0] ?? 0;
  const end = offsets.at(-1) ?? start;
  const within = (place: number): number => Math.min(Math.max(place, start), end) - start;
  const tokenWithin = (token: number): number => Math.min(Math.max(token, from), to) - from;
  return {
    ids,
    weights,
    offsets: offsets.map((place) => place - start),
    origins: whole.origins
      .slice(from, to)
      .map((origin, index) => (origin === 'learned' && weights[index] === 0 ? 'prompt' : origin)),
    text: whole.text.slice(start, end),
    spans: whole.spans
      .filter((span) => span.end > start && span.start < end)
      .map((span) => ({ source: sourceFrom(span, start), start: within(span.start), end: within(span.end) })),
    turns: whole.turns
      .filter((turn) => turn.endToken > from && turn.firstToken < to)
      .map((turn) => ({
        ...turn,
        start: within(turn.start),
        end: within(turn.end),
        firstToken: tokenWithin(turn.firstToken),
        endToken: tokenWithin(turn.endToken),
        stopLearned: turn.stopLearned && turn.endToken <= to,
      })),
    learnedTokens: weights.reduce((count, weight) => count + (weight > 0 ? 1 : 0), 0),
    lookalikes: whole.lookalikes
      .filter((found) => found.start >= start && found.start < end)
      .map((found) => ({ ...found, start: found.start - start, end: within(found.end) })),
    cutSeams: whole.cutSeams.filter((seam) => seam >= start && seam <= end).map((seam) => seam - start),
  };
}

/** The source of what is left of a span when the text begins at `start`. */
function sourceFrom({ start: spanStart, source }: Span, start: number): SpanSource {
  if (source.kind === 'template' || source.offset === null) return source;
  return { ...source, offset: source.offset + Math.max(0, start - spanStart) };
}
