import type { Issue } from '../core/issue.ts';
import { type EncodedSample, type EncodeRequest, encodeSample } from './encode-sample.ts';
import { messageWeights } from './learn.ts';
import { learnPlan } from './learn-rules.ts';

/** What happens to a row whose answers the template drops or changes once more turns follow. */
export type Rewritten = 'refuse' | 'split' | 'per-turn';

export interface RowRequest extends EncodeRequest {
  readonly rewritten?: Rewritten | undefined;
}

/** A document of a row, and the request that gives it alone. */
export interface RowDocument {
  readonly request: EncodeRequest;
  readonly value: EncodedSample;
}

export type RowResult =
  | {
      readonly ok: true;
      /** One, unless the template rewrites the row. */
      readonly documents: readonly RowDocument[];
      /** Whether the row was split because the template rewrites it. */
      readonly split: boolean;
    }
  | { readonly ok: false; readonly issues: readonly Issue[] };

/**
 * A row as the documents it is learned from: one, or several where the template drops or changes an answer (or what stands
 * before it) once more turns follow. Then each document ends with an answer, is rendered as the template renders the
 * conversation up to there, and learns what the others do not: every answer is learned once. `per-turn` makes a document
 * of each answer; `split` as few as the template allows.
 */
export function encodeRow(request: RowRequest): RowResult {
  const { rewritten = 'refuse' } = request;
  const whole = encodeSample(request);
  const kept: RowResult = whole.ok
    ? { ok: true, documents: [{ request, value: whole.value }], split: false }
    : { ok: false, issues: whole.issues };
  if (rewritten === 'refuse' || !isRewritten(whole)) return kept;
  const plan = learnPlan(request.learn, request.weights);
  const learned = messageWeights(request.messages, plan.turns).flatMap((weight, index) => (weight > 0 ? [index] : []));
  const answers = learned.every((index) => request.messages[index]?.role === 'assistant');
  // What is learned beside answers stands in every prefix: it would be learned as often as there are documents.
  if (plan.turns === 'all' || !answers) return kept;

  const documents: RowDocument[] = [];
  for (let next = 0; next < learned.length; ) {
    let count = 1;
    let made = upTo(request, learned.slice(next, next + count));
    if (!made.result.ok) return { ok: false, issues: made.result.issues };
    while (rewritten === 'split' && next + count < learned.length) {
      const longer = upTo(request, learned.slice(next, next + count + 1));
      if (isRewritten(longer.result) || !longer.result.ok) break;
      made = longer;
      count++;
    }
    if (made.result.ok) documents.push({ request: made.request, value: made.result.value });
    next += count;
  }
  return { ok: true, documents, split: documents.length > 1 };
}

function isRewritten(result: ReturnType<typeof encodeSample>): boolean {
  if (!result.ok) return result.issues.every(({ code }) => code === 'content-dropped' || code === 'content-rewritten');
  return result.value.turns.some(({ promptMatches }) => !promptMatches);
}

/** The conversation up to the last of these answers, of which they alone are learned. */
function upTo(
  request: EncodeRequest,
  answers: readonly number[],
): { readonly request: EncodeRequest; readonly result: ReturnType<typeof encodeSample> } {
  const messages = request.messages
    .slice(0, (answers.at(-1) ?? 0) + 1)
    .map((message, index) => ({ ...message, learn: answers.includes(index) }));
  const part: EncodeRequest = { ...request, messages };
  return { request: part, result: encodeSample(part) };
}
