import { formatIssue, type Issue } from '../core/issue.ts';
import type { PlanValues } from '../schema/plan.ts';
import type { Message, Sample } from '../schema/sample.ts';
import type { Shards } from '../schema/shards.ts';

/** A document: token ids, and for each how strongly it is learned. */
export interface Tokens {
  readonly ids: Uint32Array;
  readonly weights: Float32Array;
}

export type Encoded =
  | {
      readonly ok: true;
      readonly value: Tokens;
      /** Further documents of a row that was split, because the template rewrites it. */
      readonly more?: readonly Tokens[];
    }
  | { readonly ok: false; readonly issues: readonly Issue[] };

/** Turns a sample into tokens, all of them: length is judged here. */
export type EncodeSample = (sample: Sample) => Encoded | Promise<Encoded>;

export type LostFate = Shards['lost'][number]['fate'];

export type RowDocuments =
  | { readonly documents: readonly Tokens[]; readonly truncated: boolean; readonly split?: boolean }
  | { readonly fate: LostFate; readonly reason: string; readonly longestTokens?: number };

export interface DocumentRules {
  readonly layout: Shards['layout'];
  readonly encode: EncodeSample;
  readonly render: Pick<PlanValues['render'], 'lengthTokens' | 'overflow'>;
}

/** The documents of one row, in the order the layout asks for, or why there are none. */
export async function documentsOf(sample: Sample, { layout, encode, render }: DocumentRules): Promise<RowDocuments> {
  const branches = branchesOf(sample, layout);
  if (typeof branches === 'string') return { fate: 'no-supervision', reason: branches };
  const documents: Tokens[] = [];
  let split = false;
  for (const branch of branches) {
    const encoded = await encode(branch);
    if (!encoded.ok) return { fate: 'not-rendered', reason: encoded.issues.map(formatIssue).join('; ') };
    const parts = [encoded.value, ...(encoded.more ?? [])].filter((part) => firstLearned(part) !== -1);
    if (parts.length === 0) return { fate: 'no-supervision', reason: 'no token of it is learned' };
    if (layout !== 'sequence' && parts.length > 1)
      return { fate: 'not-rendered', reason: 'the template rewrites the row, and rows to compare cannot be split' };
    split ||= parts.length > 1;
    documents.push(...parts);
  }
  if (split) return cutApart(documents, render);
  return cutTogether(documents, render);
}

function cutTogether(documents: readonly Tokens[], render: DocumentRules['render']): RowDocuments {
  const longestTokens = Math.max(...documents.map(({ ids }) => ids.length));
  const surplus = longestTokens - render.lengthTokens;
  if (surplus <= 0) return { documents, truncated: false };
  const tooLong = `${longestTokens} tokens, where ${render.lengthTokens} are allowed`;
  if (render.overflow !== 'truncate-prompt') return { fate: 'too-long', reason: tooLong, longestTokens };
  // The same cut in every document of the row, so that a pair keeps its common prompt; one token must stay in front of
  // the first learned one, which is predicted from it.
  const spare = Math.min(...documents.map(firstLearned)) - 1;
  if (surplus > spare)
    return { fate: 'too-long', reason: `${tooLong}, and only ${spare} of them are prompt that can go`, longestTokens };
  return {
    documents: documents.map(({ ids, weights }) => ({
      ids: ids.subarray(surplus),
      weights: weights.subarray(surplus),
    })),
    truncated: true,
  };
}

/** Documents of a split row share no prompt, so that each is cut for itself. */
function cutApart(documents: readonly Tokens[], render: DocumentRules['render']): RowDocuments {
  const cut: Tokens[] = [];
  let truncated = false;
  for (const document of documents) {
    const one = cutTogether([document], render);
    if ('fate' in one) return one;
    truncated ||= one.truncated;
    cut.push(...one.documents);
  }
  return { documents: cut, truncated, split: true };
}

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
