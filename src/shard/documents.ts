import { isAnswered } from '../core/is-answered.ts';
import { formatIssue, type Issue } from '../core/issue.ts';
import { methodNamed } from '../methods/index.ts';
import { type EncodedSample, type Encoder, encodeDocuments } from '../models/encoder.ts';
import type { PlanValues } from '../schema/plan.ts';
import type { Message, Sample } from '../schema/sample.ts';
import type { Shards } from '../schema/shards.ts';

/** A document: token ids, and for each how strongly it is learned. */
export interface Tokens {
  readonly ids: Uint32Array;
  readonly weights: Float32Array;
}

/** What of an encoded row, or of one of its answers, is learned from. */
export interface Document<Whole extends Tokens = Tokens> extends Tokens {
  readonly whole: Whole;
  /** The token of the whole that it begins with. */
  readonly from: number;
}

export type Encoded<Whole extends Tokens = Tokens> =
  | {
      readonly ok: true;
      readonly value: Whole;
      /** Further documents of a row that was split, because the template rewrites it. */
      readonly more?: readonly Whole[];
    }
  | { readonly ok: false; readonly issues: readonly Issue[] };

/** Turns a sample into tokens, all of them: length is judged here. */
export type EncodeSample<Whole extends Tokens = Tokens> = (sample: Sample) => Encoded<Whole> | Promise<Encoded<Whole>>;

export type LostFate = Shards['lost'][number]['fate'];

export type RowDocuments<Whole extends Tokens = Tokens> =
  | {
      readonly documents: readonly Document<Whole>[];
      /** Tokens that were cut off them to fit; 0 for none. */
      readonly cutTokens: number;
      readonly split?: boolean;
    }
  | { readonly fate: LostFate; readonly reason: string; readonly longestTokens?: number };

export interface DocumentRules<Whole extends Tokens = Tokens> {
  readonly layout: Shards['layout'];
  readonly encode: EncodeSample<Whole>;
  readonly render: Pick<PlanValues['render'], 'lengthTokens' | 'overflow'>;
}

/** The documents of rows, for the checks that look at them before training. */
export function rowDocuments(
  encoder: Encoder,
  { method, render }: Pick<PlanValues, 'method' | 'render'>,
): (sample: Sample) => Promise<RowDocuments<EncodedSample>> {
  const rules = { layout: methodNamed(method.name).layout, encode: encodeDocuments(encoder), render };
  return (sample) => documentsOf(sample, rules);
}

/** The documents of one row, in the order the layout asks for, or why there are none. */
export async function documentsOf<Whole extends Tokens>(
  sample: Sample,
  { layout, encode, render }: DocumentRules<Whole>,
): Promise<RowDocuments<Whole>> {
  const branches = branchesOf(sample, layout);
  if (typeof branches === 'string') return { fate: 'no-supervision', reason: branches };
  const documents: Document<Whole>[] = [];
  let split = false;
  for (const branch of branches) {
    const encoded = await encode(branch);
    if (!encoded.ok) return { fate: 'not-rendered', reason: encoded.issues.map(formatIssue).join('; ') };
    const parts = [encoded.value, ...(encoded.more ?? [])].filter((part) => firstLearned(part) !== -1);
    if (parts.length === 0) return { fate: 'no-supervision', reason: whyUnlearned(sample) };
    if (layout !== 'sequence' && parts.length > 1)
      return { fate: 'not-rendered', reason: 'the template rewrites the row, and rows to compare cannot be split' };
    split ||= parts.length > 1;
    documents.push(...parts.map((whole) => ({ ids: whole.ids, weights: whole.weights, whole, from: 0 })));
  }
  if (split) return fitApart(documents, render);
  if (render.overflow === 'split' && sample.plain === true) return splitText(documents, render.lengthTokens);
  return fitTogether(documents, render);
}

const whyUnlearned = (sample: Sample): string =>
  isAnswered(sample) ? 'no token of it is learned' : 'it has no answer, so that no token of it is learned';

/** The documents of a row within its length, each in the same way, so that they keep their common prompt. */
function fitTogether<Whole extends Tokens>(
  documents: readonly Document<Whole>[],
  { lengthTokens, overflow }: DocumentRules['render'],
): RowDocuments<Whole> {
  const longestTokens = Math.max(...documents.map(({ ids }) => ids.length));
  const surplus = longestTokens - lengthTokens;
  if (surplus <= 0) return { documents, cutTokens: 0 };
  const tooLong = (why: string): RowDocuments<Whole> => ({
    fate: 'too-long',
    reason: `${longestTokens} tokens, where ${lengthTokens} are allowed${why}`,
    longestTokens,
  });
  if (overflow === 'truncate-answer') {
    const kept = documents.map((document) => part(document, 0, lengthTokens));
    if (kept.some((document) => firstLearned(document) === -1)) return tooLong(', and nothing learned would be left');
    return { documents: kept, cutTokens: tokensIn(documents) - tokensIn(kept) };
  }
  if (overflow === 'truncate-prompt') {
    // One token must stay in front of the first learned one, which is predicted from it.
    const spare = Math.min(...documents.map(firstLearned)) - 1;
    if (surplus > spare) return tooLong(`, and only ${spare} of them are prompt that can go`);
    const kept = documents.map((document) => part(document, surplus));
    return { documents: kept, cutTokens: tokensIn(documents) - tokensIn(kept) };
  }
  return tooLong(overflow === 'split' ? ', and only plain text can be split' : '');
}

/** Documents of a row that the template splits share no prompt, so that each is fitted for itself. */
function fitApart<Whole extends Tokens>(
  documents: readonly Document<Whole>[],
  render: DocumentRules['render'],
): RowDocuments<Whole> {
  const kept: Document<Whole>[] = [];
  let cutTokens = 0;
  for (const document of documents) {
    const one = fitTogether([document], render);
    if ('fate' in one) return one;
    cutTokens += one.cutTokens;
    kept.push(...one.documents);
  }
  return { documents: kept, cutTokens, split: true };
}

/**
 * A text in pieces. Each begins with the last token of the one before, as context alone: the token behind it is predicted
 * from it, so that every token that is learned in the whole is learned once in the pieces.
 */
function splitText<Whole extends Tokens>(
  documents: readonly Document<Whole>[],
  lengthTokens: number,
): RowDocuments<Whole> {
  const longestTokens = Math.max(...documents.map(({ ids }) => ids.length));
  if (longestTokens <= lengthTokens) return { documents, cutTokens: 0 };
  if (lengthTokens < 2)
    return { fate: 'too-long', reason: 'pieces of one token have nothing to predict', longestTokens };
  const pieces = documents.flatMap((document) => {
    const made: Document<Whole>[] = [];
    for (let from = 0; from + 1 < document.ids.length; from += lengthTokens - 1) {
      const piece = part(document, from, from + lengthTokens);
      made.push(from === 0 ? piece : { ...piece, weights: piece.weights.with(0, 0) });
    }
    return made;
  });
  return { documents: pieces.filter((piece) => firstLearned(piece) !== -1), cutTokens: 0, split: true };
}

const part = <Whole extends Tokens>(document: Document<Whole>, start: number, end?: number): Document<Whole> => ({
  ids: document.ids.subarray(start, end),
  weights: document.weights.subarray(start, end),
  whole: document.whole,
  from: document.from + start,
});

const tokensIn = (documents: readonly Tokens[]): number => documents.reduce((sum, { ids }) => sum + ids.length, 0);

/** Nothing predicts the first token, so it is never learned. */
function firstLearned({ weights }: Tokens): number {
  return weights.findIndex((weight, index) => index > 0 && weight > 0);
}

/** The conversations that become one document each, in the layout's order, or what the row lacks. */
function branchesOf(sample: Sample, layout: Shards['layout']): readonly Sample[] | string {
  if (layout === 'sequence') return [sample];
  if (layout === 'pair') {
    if (!sample.rejected) return 'the row has no rejected answer to compare with';
    const { tools, rejectedTools = tools, rejected } = sample;
    const other = { ...sample, messages: [...promptOf(sample), ...rejected] };
    return [sample, rejectedTools === undefined ? other : { ...other, tools: rejectedTools }];
  }
  const { ranked = [] } = sample;
  if (ranked.length < 2) return 'the row has no answers to compare';
  return ranked.map(({ messages }) => ({ ...sample, messages: [...promptOf(sample), ...messages] }));
}

/** What all answers of a row follow: the conversation up to its last question, or as far as the row says. */
function promptOf({ messages, rejectedFrom }: Sample): readonly Message[] {
  const question = messages.findLastIndex((message) => message.role === 'user');
  return messages.slice(0, rejectedFrom ?? question + 1);
}

/**
 * How many first tokens all documents of a row have in common, in ids and weights; of each, at least one token stays its
 * own. 0 for a single document.
 */
export function sharedPrompt(documents: readonly Tokens[]): number {
  const [first, ...others] = documents;
  if (!first || others.length === 0) return 0;
  const most = Math.min(...documents.map(({ ids }) => ids.length)) - 1;
  let shared = 0;
  while (shared < most && others.every((other) => sameAt(first, other, shared))) shared++;
  return shared;
}

function sameAt(a: Tokens, b: Tokens, index: number): boolean {
  return a.ids[index] === b.ids[index] && a.weights[index] === b.weights[index];
}
