import type { Issue } from '../core/issue.ts';
import type { LearnPlan } from './learn-rules.ts';
import type { Source } from './messages.ts';
import { isSaid, lostContent, type Piece, piecesOf } from './survival.ts';
import { type RawRendering, type RenderInput, renderRaw } from './template.ts';

/** A learned turn, in UTF-16 positions of the rendered text. */
export interface Turn {
  readonly message: number;
  readonly weight: number;
  /** Where learning starts: at the end of the generation prompt where there is one. */
  readonly start: number;
  /** Behind the last character the message gave; the stop token that follows is learned with it. */
  readonly end: number;
  /** Whether the text up to `start` is what a serving engine would be given, character for character. */
  readonly promptMatches: boolean;
  /** The text a serving engine would be given, when it differs. */
  readonly prompt?: string;
}

type Rendered = Extract<RawRendering, { ok: true }>;

interface LearnRequest {
  readonly input: RenderInput;
  readonly rendering: Rendered;
  /** How strongly each message is learned; 0 for not at all. */
  readonly weights: readonly number[];
}

/** How strongly each message is learned: its own word first, then the rule. */
export function messageWeights(
  messages: readonly { readonly role?: unknown; readonly learn?: unknown; readonly weight?: unknown }[],
  turns: LearnPlan['turns'],
): number[] {
  const last = messages.findLastIndex(({ role }) => role === 'assistant');
  const lastAsked = messages.findLastIndex(({ role }) => role === 'user' || role === 'tool');
  const byRule: Readonly<Record<LearnPlan['turns'], (index: number) => boolean>> = {
    assistant: () => true,
    last: (index) => index === last,
    'last-round': (index) => index > lastAsked,
    all: () => true,
  };
  return messages.map((message, index) => {
    const ruled = (turns === 'all' || message.role === 'assistant') && byRule[turns](index);
    const learned = typeof message.learn === 'boolean' ? message.learn : ruled;
    if (!learned) return 0;
    return typeof message.weight === 'number' ? message.weight : 1;
  });
}

/**
 * Where each learned message stands. An assistant's turn begins where the generation prompt of the conversation before it
 * ends, so that what the model must open itself (a reasoning block, a tool call) is learned and the header is not; any
 * other message begins at its first character.
 */
export function learnedTurns({ input, rendering, weights }: LearnRequest): { turns: Turn[]; issues: Issue[] } {
  const turns: Turn[] = [];
  const issues: Issue[] = [];
  weights.forEach((weight, index) => {
    if (weight === 0) return;
    const said = piecesOf(rendering, index).filter((piece) => isSaid(piece.source.field));
    const pieces = withoutEchoes({ input, text: rendering.text, index, pieces: said });
    const first = pieces[0]?.start;
    const begin =
      input.messages[index]?.role === 'assistant'
        ? turnStart({ input, rendering, index, first, opensWith: pieces[0]?.source })
        : { start: first, promptMatches: false };
    const start = begin.start ?? first;
    const end = pieces.at(-1)?.end ?? start;
    issues.push(
      ...lostContent({
        index,
        pieces,
        sources: rendering.sources,
        region: start === undefined || end === undefined ? '' : rendering.text.slice(start, end),
      }),
    );
    if (start === undefined || end === undefined) return;
    const { promptMatches, prompt } = begin;
    turns.push({ message: index, weight, start, end, promptMatches, ...(prompt === undefined ? {} : { prompt }) });
  });
  return { turns, issues };
}

interface EchoRequest {
  readonly input: RenderInput;
  readonly text: string;
  readonly index: number;
  readonly pieces: readonly Piece[];
}

/**
 * A template may say again, in a later turn, what a message said: the name of the tool above its result. That is not the
 * message's turn, which ends where the conversation up to it ends.
 */
function withoutEchoes({ input, text, index, pieces }: EchoRequest): readonly Piece[] {
  const repeats = pieces.some(
    ({ source, offset }, at) =>
      source.field === 'tool_name' &&
      pieces.findIndex((other) => other.source === source && other.offset === offset) < at,
  );
  if (!repeats || index === input.messages.length - 1) return pieces;
  const upTo = renderRaw({ ...input, messages: input.messages.slice(0, index + 1), addGenerationPrompt: false });
  if (!upTo.ok) return pieces;
  let end = 0;
  while (end < upTo.text.length && upTo.text[end] === text[end]) end++;
  const own = pieces.filter((piece) => piece.end <= end);
  return own.length > 0 ? own : pieces;
}

/** The stretch that a `{% generation %}` of the template marks, if the position lies in one or at its edge. */
export function generationAround(
  { generations }: Pick<Rendered, 'generations'>,
  position: number,
): { readonly start: number; readonly end: number } | undefined {
  for (let i = 0; i < generations.length; i += 2) {
    const [start = 0, end = 0] = generations.slice(i, i + 2);
    if (start <= position && position <= end) return { start, end };
  }
  return undefined;
}

interface TurnStartRequest {
  readonly input: RenderInput;
  readonly rendering: Rendered;
  readonly index: number;
  /** Where the message's first character stands. */
  readonly first: number | undefined;
  readonly opensWith: Source | undefined;
}

function turnStart(request: TurnStartRequest): { start: number | undefined; promptMatches: boolean; prompt?: string } {
  const { input, rendering, index, first, opensWith } = request;
  const { text } = rendering;
  // Where no prompt says where the turn begins, a generation tag does.
  const tagged = first === undefined ? undefined : (generationAround(rendering, first)?.start ?? first);
  const messages = input.messages.slice(0, index);
  const prompt = renderRaw({ ...input, messages, addGenerationPrompt: true });
  if (!prompt.ok) return { start: tagged, promptMatches: false };
  const at = prompt.text.length;
  if (!text.startsWith(prompt.text) || (first !== undefined && at > first))
    return { start: tagged, promptMatches: false, prompt: prompt.text };
  if (first !== undefined && text.slice(at, first).trim() !== '' && opensHeader(opensWith)) {
    // Text between prompt and answer is the model's to write, unless the template has no generation prompt at all: then
    // it is the header of the turn, which the template writes.
    const bare = renderRaw({ ...input, messages, addGenerationPrompt: false });
    if (bare.ok && bare.text === prompt.text) return { start: tagged, promptMatches: false, prompt: prompt.text };
  }
  return { start: at, promptMatches: true };
}

/** A tool call is opened by the model even where a template has no generation prompt. */
function opensHeader(source: Source | undefined): boolean {
  return source?.kind === 'message' && source.field !== 'tool_name' && source.field !== 'argument';
}
