import { issuesError } from '../core/error.ts';
import type { Issue } from '../core/issue.ts';
import type { Tokenizer } from '../spec/tokenizer.ts';
import { type ControlTokens, type EncodedText, encodeText, firstTokenAt, type Lookalike } from './encode-text.ts';
import { TEMPLATE } from './jinja/text.ts';
import { generationAround, learnedTurns, messageWeights, type Turn } from './learn.ts';
import { type LearnPlan, learnPlan, type OwnWeight } from './learn-rules.ts';
import { prepareMessages, prepareTools } from './prepare.ts';
import { type RawRendering, type RenderInput, renderRaw, type Span, spansOf } from './template.ts';
import { turnFactors } from './turn-factors.ts';

export interface EncodeRequest extends RenderInput {
  readonly tokenizer: Tokenizer;
  /** Names of `schema/learn-rules.ts`, joined by `+`. */
  readonly learn: string;
  /** Weights for text inside answers, beside those of `learn`. */
  readonly weights?: readonly OwnWeight[] | undefined;
  /** What text becomes that spells a special token: ordinary text unless told otherwise. */
  readonly controlTokens?: ControlTokens | undefined;
  /** Ids a generation ends at; the first one behind an answer is learned with it. */
  readonly stopTokens: readonly number[];
  /** Longest row; a longer one is an issue. Absent: any length. */
  readonly lengthTokens?: number | undefined;
}

/** For display: written by the template, given as context, or learned. */
export type TokenOrigin = 'template' | 'prompt' | 'learned';

/** A learned turn in tokens. */
export interface EncodedTurn extends Turn {
  /** The first learned token. */
  readonly firstToken: number;
  /** Behind the last learned token. */
  readonly endToken: number;
  /** Whether the last learned token is one that generation stops at. */
  readonly stopLearned: boolean;
}

export interface EncodedSample {
  readonly ids: Uint32Array;
  /** How strongly each token is learned; 0 for context. */
  readonly weights: Float32Array;
  /** Two numbers a token: its range in `text`, in UTF-16 units. */
  readonly offsets: Uint32Array;
  readonly origins: readonly TokenOrigin[];
  readonly text: string;
  readonly spans: readonly Span[];
  readonly turns: readonly EncodedTurn[];
  readonly learnedTokens: number;
  /** Content that spells special tokens, and what that became by `controlTokens`. */
  readonly lookalikes: readonly PlacedLookalike[];
  /** Ends of prompts where the tokenizer, given the whole text, would have merged prompt and answer. */
  readonly cutSeams: readonly number[];
}

/** A lookalike with the message and field, or the variable, it stands in. */
export interface PlacedLookalike extends Lookalike {
  readonly path: Issue['path'];
}

export type EncodeResult =
  | { readonly ok: true; readonly value: EncodedSample }
  | { readonly ok: false; readonly issues: readonly Issue[] };

/**
 * A conversation as token ids, and for each how strongly it is learned. The mask falls out of provenance: what a learned
 * message says, what the model must write around it, and the stop token behind it; never another message's text.
 * Special tokens come from the template alone: content that spells one is encoded as ordinary text. Added tokens that are
 * not special (`<think>`, `<tool_call>`) are the model's vocabulary and stay what they are.
 */
export function encodeSample(request: EncodeRequest): EncodeResult {
  const input: RenderInput = {
    ...request,
    messages: prepareMessages(request.messages, request.template),
    addGenerationPrompt: false,
  };
  const rendering = renderRaw(input);
  if (!rendering.ok) return { ok: false, issues: [rendering.issue] };
  const { value, lost } = encodeRendering(request, { input, rendering });
  if (lost.length > 0) return { ok: false, issues: lost };
  const refused = request.controlTokens === 'refuse' ? value.lookalikes : [];
  if (refused.length > 0) return { ok: false, issues: refused.map((found) => controlTokenIssue(found, value.text)) };
  const tokens = value.ids.length;
  if (request.lengthTokens !== undefined && tokens > request.lengthTokens)
    return { ok: false, issues: [tooLong(tokens, request.lengthTokens)] };
  return { ok: true, value };
}

interface RenderedRequest {
  /** What was rendered. */
  readonly input: RenderInput;
  readonly rendering: Extract<RawRendering, { ok: true }>;
}

/** A rendering as tokens, whatever the template made of the answers; `lost` says what it dropped or changed of them. */
export function encodeRendering(
  request: Pick<EncodeRequest, 'messages' | 'tokenizer' | 'learn' | 'weights' | 'stopTokens' | 'controlTokens'>,
  { input, rendering }: RenderedRequest,
): { readonly value: EncodedSample; readonly lost: readonly Issue[] } {
  const plan = learnPlan(request.learn, request.weights);
  const weights = messageWeights(request.messages, plan.turns);
  const { turns, issues } = learnedTurns({
    input,
    rendering,
    weights: plan.turns === 'all' ? weights.map((weight, index) => (isAnswer(request, index) ? weight : 0)) : weights,
  });
  const seams = turns.filter((turn) => turn.promptMatches).map((turn) => turn.start);
  const { tokenizer, controlTokens } = request;
  const encoded = encodeText(rendering, { tokenizer, seams, controlTokens });
  return { value: weighted({ request, plan, rendering, encoded, turns, messageWeights: weights }), lost: issues };
}

function isAnswer({ messages }: Pick<EncodeRequest, 'messages'>, index: number): boolean {
  return messages[index]?.role === 'assistant';
}

function controlTokenIssue({ start, token, path }: PlacedLookalike, text: string): Issue {
  return {
    code: 'control-token',
    severity: 'error',
    path,
    message: `the text spells the control token ${token}, at ${JSON.stringify(text.slice(Math.max(0, start - 12), start + token.length + 12))}`,
    fix: 'Take it out of the row, or set render.controlTokens: text, which makes it ordinary text.',
  };
}

/** The message and field, or the variable, that a position of the text came from. */
function placeOf({ runs, sources }: Extract<RawRendering, { ok: true }>, position: number): Issue['path'] {
  let run = 0;
  while (run + 3 < runs.length && (runs[run + 3] as number) <= position) run += 3;
  // A token may begin in the template's words and end in content.
  while (run < runs.length && runs[run + 1] === TEMPLATE) run += 3;
  const source = sources[runs[run + 1] as number];
  if (!source) return [];
  return source.kind === 'message'
    ? ['messages', source.index, ...source.path.replace('#', '').split('.')]
    : [source.path];
}

function tooLong(tokens: number, allowed: number): Issue {
  return {
    code: 'too-long',
    severity: 'error',
    path: [],
    message: `the row has ${tokens} tokens`,
    expected: `at most ${allowed}`,
    fix: `Set render.lengthTokens: ${tokens}, or choose another render.overflow.`,
  };
}

interface WeightRequest {
  readonly request: Pick<EncodeRequest, 'messages' | 'stopTokens'>;
  readonly plan: LearnPlan;
  readonly rendering: Extract<RawRendering, { ok: true }>;
  readonly encoded: EncodedText;
  readonly turns: readonly Turn[];
  readonly messageWeights: readonly number[];
}

function weighted({ request, plan, rendering, encoded, turns, messageWeights }: WeightRequest): EncodedSample {
  const { ids, offsets, lookalikes, cutSeams } = encoded;
  const { text, sources } = rendering;
  const sourceOf = tokenSources(rendering, offsets);
  const weights = new Float32Array(ids.length);
  if (plan.turns === 'all')
    ids.forEach((_, index) => {
      const source = sources[sourceOf[index] as number];
      weights[index] = source?.kind === 'message' ? (messageWeights[source.index] ?? 1) : 1;
    });
  const stops = new Set(request.stopTokens);
  const encodedTurns = turns.map((turn): EncodedTurn => {
    const firstToken = firstTokenAt(encoded, turn.start);
    const bodyEnd = Math.max(firstToken, firstTokenAt(encoded, turn.end));
    let stop = bodyEnd;
    while (stop < ids.length && sourceOf[stop] === TEMPLATE && !stops.has(ids[stop] as number)) stop++;
    const stopLearned = stop < ids.length && sourceOf[stop] === TEMPLATE;
    const endToken = stopLearned ? stop + 1 : bodyEnd;
    weights.fill(turn.weight, firstToken, endToken);
    // The line break behind the stop token, where the template says that it belongs to the turn.
    const tagEnd = generationAround(rendering, turn.end)?.end ?? 0;
    for (let i = endToken; sourceOf[i] === TEMPLATE && (offsets[i * 2 + 1] as number) <= tagEnd; i++)
      weights[i] = turn.weight;
    const bodyTokens = stopLearned ? stop : endToken;
    const until = Math.max(turn.end, offsets[(bodyTokens - 1) * 2 + 1] ?? turn.end);
    const factors = turnFactors({ rendering, turn: { ...turn, end: until }, plan, messages: request.messages });
    if (factors)
      for (let i = firstToken; i < bodyTokens; i++)
        weights[i] =
          turn.weight *
          largest(factors, (offsets[i * 2] as number) - turn.start, (offsets[i * 2 + 1] as number) - turn.start);
    return { ...turn, firstToken, endToken, stopLearned };
  });
  return {
    ids,
    weights,
    offsets,
    /** Made when asked for: of a million rows nobody looks at one. */
    get origins() {
      return Array.from(
        weights,
        (weight, index): TokenOrigin => (weight > 0 ? 'learned' : sourceOf[index] === TEMPLATE ? 'template' : 'prompt'),
      );
    },
    text,
    spans: spansOf(rendering),
    turns: encodedTurns,
    learnedTokens: weights.reduce((count, weight) => count + (weight > 0 ? 1 : 0), 0),
    lookalikes: lookalikes.map((found) => ({ ...found, path: placeOf(rendering, found.start) })),
    cutSeams,
  };
}

/** A token on both sides of an edge takes the larger weight, so that nothing of an answer goes unlearned. */
function largest(factors: Float32Array, ...[start, end]: [number, number]): number {
  let result = 0;
  const first = Math.min(Math.max(0, start), factors.length - 1);
  for (let i = first; i < Math.max(first + 1, Math.min(end, factors.length)); i++)
    result = Math.max(result, factors[i] ?? 1);
  return result;
}

/** The source of each token's characters: the first that is not the template, where it holds several. */
function tokenSources({ runs }: { readonly runs: readonly number[] }, offsets: Uint32Array): Int32Array {
  const result = new Int32Array(offsets.length / 2).fill(TEMPLATE);
  let run = 0;
  for (let i = 0; i < result.length; i++) {
    const start = offsets[i * 2] as number;
    const end = Math.max(start + 1, offsets[i * 2 + 1] as number);
    while (run + 3 < runs.length && (runs[run + 3] as number) <= start) run += 3;
    for (let at = run; at < runs.length && (runs[at] as number) < end && result[i] === TEMPLATE; at += 3)
      result[i] = runs[at + 1] as number;
  }
  return result;
}

export interface PromptRequest extends RenderInput {
  readonly tokenizer: Tokenizer;
  readonly controlTokens?: ControlTokens | undefined;
}

export interface EncodedPrompt {
  readonly text: string;
  readonly ids: Uint32Array;
  readonly lookalikes: readonly Lookalike[];
}

/**
 * A conversation and its generation prompt as a serving engine sees it: the same ids that a training row starts with.
 * @throws MartletError `invalid-input` when the template refuses the conversation
 */
export function encodePrompt(request: PromptRequest): EncodedPrompt {
  const rendering = promptRendering(request);
  const { tokenizer, controlTokens } = request;
  const { ids, lookalikes } = encodeText(rendering, { tokenizer, seams: [], controlTokens });
  if (controlTokens === 'refuse' && lookalikes.length > 0)
    throw issuesError(
      'the conversation',
      lookalikes.map((found) => controlTokenIssue({ ...found, path: placeOf(rendering, found.start) }, rendering.text)),
    );
  return { text: rendering.text, ids, lookalikes };
}

/**
 * The text of it, for an engine that cuts text by itself.
 * @throws MartletError as `encodePrompt`
 */
export function renderPrompt(request: RenderInput): string {
  return promptRendering({ ...request, tools: prepareTools(request.tools) }).text;
}

function promptRendering(request: RenderInput): Extract<RawRendering, { ok: true }> {
  const messages = prepareMessages(request.messages, request.template);
  const rendering = renderRaw({ addGenerationPrompt: true, ...request, messages });
  if (!rendering.ok) throw issuesError('the conversation', [rendering.issue]);
  return rendering;
}
