import type { Issue } from '../core/issue.ts';
import { encodeRow, type RowDocument, type RowRequest } from './encode-row.ts';
import { type EncodedSample, type EncodeRequest, encodePrompt } from './encode-sample.ts';
import { learnPlan } from './learn-rules.ts';
import type { Span } from './template.ts';

/** The letters of the gate: see `checkConformance`. */
export type GateCheck = 'a' | 'b' | 'c' | 'd' | 'e' | 'f' | 'g';

/** Tokens around a finding. */
export interface TokenWindow {
  /** Number of the first one, in the document. */
  readonly first: number;
  readonly tokens: readonly { readonly id: number; readonly text: string; readonly weight: number }[];
}

/** What is wrong with a row as training data. `path` names the message. */
export interface Finding extends Issue {
  /** Null for what stops the row before it can be checked. */
  readonly check: GateCheck | null;
  /** Of a row that is split, the document, counted from 0. */
  readonly document: number;
  readonly window: TokenWindow | null;
}

/**
 * The gate before training, on one of the user's own rows; what it returns is what is wrong:
 * (a) `prompt-differs`: prompt + completion is not the whole, in ids, for a learned turn;
 * (b) `stop-not-learned`: an answer that does not end in a token generation stops at;
 * (c) `seam-cut`, `boundary-merged` (warnings): the tokenizer merges, or would merge, across the edge of what is learned;
 * (d) `decode-differs`: the ids do not say the text;
 * (e) `learned-elsewhere`: a learned token that another message or a variable gave;
 * (f) `no-supervision`: no token is learned.
 * Whether serving engines see the same prompt (g) is asked of them by `models/gate.ts`. Beside these it warns of content
 * that spells control tokens (`control-token`), of messages that the template leaves out (`context-dropped`) and of system
 * messages that it writes into another turn (`context-merged`).
 */
export function checkConformance(request: RowRequest): readonly Finding[] {
  const encoded = encodeRow(request);
  if (!encoded.ok)
    return encoded.issues.map((issue) => ({
      ...issue,
      check: issue.code === 'no-supervision' ? 'f' : null,
      document: 0,
      window: null,
    }));
  return encoded.documents.flatMap((document, index) =>
    checkDocument(document).map((finding) => ({ ...finding, document: index })),
  );
}

type Found = Omit<Finding, 'document'>;

function checkDocument({ request, value }: RowDocument): readonly Found[] {
  return [
    ...promptFindings(request, value),
    ...stopFindings(request, value),
    ...seamFindings(request, value),
    ...decodeFindings(request, value),
    ...(learnPlan(request.learn, request.weights).turns === 'all' ? [] : originFindings(request, value)),
    ...supervisionFindings(value),
    ...lookalikeFindings(request, value),
    ...contextFindings(request, value),
    ...mergedFindings(request, value),
    ...toolFindings(request, value),
  ];
}

/** @param token the one the finding is about */
function windowAt({ tokenizer }: EncodeRequest, { ids, weights }: EncodedSample, token: number): TokenWindow {
  const first = Math.max(0, Math.min(token, ids.length - 1) - 4);
  const tokens = Array.from(ids.subarray(first, first + 9), (id, index) => ({
    id,
    text: tokenizer.tokenOf(id) ?? '?',
    weight: weights[first + index] ?? 0,
  }));
  return { first, tokens };
}

function promptFindings(request: EncodeRequest, value: EncodedSample): Found[] {
  const found: Found[] = [];
  for (const turn of value.turns) {
    if (request.messages[turn.message]?.role !== 'assistant') continue;
    const path = ['messages', turn.message];
    if (!turn.promptMatches) {
      const fix =
        'Training would see another prompt than serving: set render.rewritten: split, or choose a template with a generation prompt.';
      const message =
        turn.prompt === undefined
          ? 'the template refuses the prompt of this turn'
          : textDifference(turn.prompt, value.text);
      const window = windowAt(request, value, turn.firstToken);
      found.push({ check: 'a', code: 'prompt-differs', severity: 'error', path, message, fix, window });
      continue;
    }
    const prompt = encodePrompt({
      ...request,
      messages: request.messages.slice(0, turn.message),
      addGenerationPrompt: true,
    });
    const different = firstDifference(prompt.ids, value.ids.subarray(0, turn.firstToken));
    if (different < 0) continue;
    found.push({
      check: 'a',
      code: 'prompt-differs',
      severity: 'error',
      path,
      message: `token ${different} of the prompt is ${shown(request, prompt.ids[different])} when served and ${shown(request, value.ids[different])} when trained`,
      fix: 'The tokenizer joins earlier turns differently once they are text: learn the last turn only (render.learn: last).',
      window: windowAt(request, value, different),
    });
  }
  return found;
}

function textDifference(prompt: string, text: string): string {
  let at = 0;
  while (at < prompt.length && prompt[at] === text[at]) at++;
  const window = (whole: string): string => JSON.stringify(whole.slice(Math.max(0, at - 12), at + 20));
  return at === prompt.length
    ? 'the template writes the header of this turn itself and offers no generation prompt'
    : `at character ${at} the prompt has ${window(prompt)} where the whole conversation has ${window(text)}`;
}

/** Index of the first id that differs; -1 where none does. */
export function firstDifference(left: ArrayLike<number>, right: ArrayLike<number>): number {
  const length = Math.max(left.length, right.length);
  for (let i = 0; i < length; i++) if (left[i] !== right[i]) return i;
  return -1;
}

function shown({ tokenizer }: EncodeRequest, id: number | undefined): string {
  return id === undefined ? 'nothing' : `${id} (${JSON.stringify(tokenizer.tokenOf(id) ?? '?')})`;
}

function stopFindings(request: EncodeRequest, value: EncodedSample): Found[] {
  return value.turns
    .filter((turn) => !turn.stopLearned)
    .map((turn) => ({
      check: 'b',
      code: 'stop-not-learned',
      severity: 'error',
      path: ['messages', turn.message],
      message: 'no token that generation stops at follows this answer, so the model would not learn to stop',
      fix: "Check the model's eos_token_id, or choose a template that ends a turn with it.",
      window: windowAt(request, value, turn.endToken),
    }));
}

function seamFindings(request: EncodeRequest, value: EncodedSample): Found[] {
  const { cutSeams, text, offsets, turns, ids } = value;
  const around = (position: number): string =>
    `${JSON.stringify(text.slice(Math.max(0, position - 12), position))} | ${JSON.stringify(text.slice(position, position + 12))}`;
  const cut = cutSeams.map((seam): Found => {
    const turn = turns.find(({ start }) => start === seam);
    return {
      check: 'c',
      code: 'seam-cut',
      severity: 'warning',
      path: turn ? ['messages', turn.message] : [],
      message: `prompt and answer meet at ${around(seam)}, where the tokenizer would merge them; they were encoded apart`,
      window: windowAt(request, value, turn?.firstToken ?? 0),
    };
  });
  const merged = turns.flatMap((turn) =>
    ([turn.start, turn.end] as const).flatMap((edge, side): Found[] => {
      const token = ids.findIndex((_, i) => (offsets[i * 2] ?? 0) < edge && edge < (offsets[i * 2 + 1] ?? 0));
      if (token < 0) return [];
      const what =
        side === 0 ? 'holds the beginning of the answer and is not learned' : 'ends the answer and is learned';
      return [
        {
          check: 'c',
          code: 'boundary-merged',
          severity: 'warning',
          path: ['messages', turn.message],
          message: `token ${token} ${what}, though the template wrote a part of it: ${around(edge)}`,
          window: windowAt(request, value, token),
        },
      ];
    }),
  );
  return [...cut, ...merged];
}

function decodeFindings(request: EncodeRequest, value: EncodedSample): Found[] {
  const { tokenizer } = request;
  const { ids, text, offsets } = value;
  const decoded = tokenizer.decode(ids);
  if (decoded === text || withoutAddedSpaces(tokenizer, decoded) === withoutAddedSpaces(tokenizer, text)) return [];
  let at = 0;
  while (at < text.length && decoded[at] === text[at]) at++;
  const token = Math.max(0, (offsets.findIndex((offset, index) => index % 2 === 1 && offset > at) - 1) / 2);
  return [
    {
      check: 'd',
      code: 'decode-differs',
      severity: 'error',
      path: messageAt(value, at),
      message: `around token ${token} the ids say ${JSON.stringify(decoded.slice(at, at + 24))} where the text has ${JSON.stringify(text.slice(at, at + 24))}`,
      fix: 'The tokenizer changes this text (normalisation, unknown characters): clean it before training.',
      window: windowAt(request, value, token),
    },
  ];
}

/** Some decoders put a space behind a special token, or drop the first one; that is theirs, not the ids'. */
function withoutAddedSpaces({ addedTokens }: EncodeRequest['tokenizer'], text: string): string {
  let result = text.trimStart();
  for (const [token, { special }] of addedTokens)
    if (special && result.includes(token))
      result = result
        .split(token)
        .map((part) => part.trim())
        .join(token);
  return result;
}

function messageAt({ spans }: EncodedSample, position: number): Finding['path'] {
  const source = spans.find(({ end }) => end > position)?.source;
  return source?.kind === 'message' ? ['messages', source.index] : [];
}

function originFindings(request: EncodeRequest, value: EncodedSample): Found[] {
  const { spans, weights, offsets, turns } = value;
  const learned = new Set(turns.map((turn) => turn.message));
  const isForeign = ({ source }: Span): boolean =>
    source.kind === 'variable' || (source.kind === 'message' && !learned.has(source.index));
  let first = 0;
  for (let i = 0; i < weights.length; i++) {
    if ((weights[i] ?? 0) === 0) continue;
    const start = offsets[i * 2] ?? 0;
    const end = Math.max(start + 1, offsets[i * 2 + 1] ?? 0);
    while ((spans[first]?.end ?? Number.POSITIVE_INFINITY) <= start) first++;
    // All of a token counts: a space that the template wrote often begins the first word of what another one says.
    let last = first;
    while (last < spans.length && (spans[last]?.start ?? 0) < end && !isForeign(spans[last] as Span)) last++;
    const found = spans[last];
    if (!found || found.start >= end || found.source.kind === 'template') continue;
    const { source } = found;
    const whose = source.kind === 'message' ? `message ${source.index}` : `the variable ${source.name}`;
    return [
      {
        check: 'e',
        code: 'learned-elsewhere',
        severity: 'error',
        path: source.kind === 'message' ? ['messages', source.index] : [source.name],
        message: `token ${i} is learned and came from ${whose}`,
        fix: 'The template writes this into the answer; report the template.',
        window: windowAt(request, value, i),
      },
    ];
  }
  return [];
}

function supervisionFindings({ learnedTokens }: EncodedSample): Found[] {
  if (learnedTokens > 0) return [];
  return [
    {
      check: 'f',
      code: 'no-supervision',
      severity: 'error',
      path: [],
      message: 'no token of this row is learned',
      fix: 'Give it an assistant message, or change render.learn.',
      window: null,
    },
  ];
}

function lookalikeFindings(request: EncodeRequest, value: EncodedSample): Found[] {
  const became = request.controlTokens === 'special' ? 'and became that token' : 'and was encoded as ordinary text';
  return value.lookalikes.map((found) => {
    const token = value.offsets.findIndex((offset, index) => index % 2 === 1 && offset > found.start);
    return {
      check: null,
      code: 'control-token',
      severity: 'warning',
      path: found.path,
      message: `the text spells the control token ${found.token}, at ${JSON.stringify(value.text.slice(Math.max(0, found.start - 12), found.end + 12))}, ${became}`,
      window: windowAt(request, value, Math.max(0, (token - 1) / 2)),
    };
  });
}

/** Messages of the prompt that leave no character of what they say. */
function contextFindings({ messages }: EncodeRequest, { spans, turns }: EncodedSample): Found[] {
  const seen = new Set(
    spans.flatMap(({ source }) =>
      source.kind === 'message' && source.field !== 'role' && source.field !== 'name' ? [source.index] : [],
    ),
  );
  for (const { message } of turns) seen.add(message);
  return messages.flatMap(({ role, content }, index): Found[] => {
    if (seen.has(index) || typeof content !== 'string' || content.trim() === '') return [];
    return [
      {
        check: null,
        code: 'context-dropped',
        severity: 'warning',
        path: ['messages', index],
        message: `the chat template leaves out this ${String(role)} message`,
        fix: 'Choose a template that has a place for it, or take it out of the rows.',
        window: null,
      },
    ];
  });
}

/** System messages that no control token parts from what the next message says: they stand in its turn. */
function mergedFindings({ messages, tokenizer }: EncodeRequest, { spans, ids, offsets }: EncodedSample): Found[] {
  const isText = ({ source }: Span): boolean =>
    source.kind === 'message' && (source.field === 'content' || source.field === 'part');
  const specials = new Set([...tokenizer.addedTokens.values()].filter(({ special }) => special).map(({ id }) => id));
  return messages.flatMap(({ role }, index): Found[] => {
    if (role !== 'system') return [];
    const at = spans.findLastIndex(
      (span) => isText(span) && span.source.kind === 'message' && span.source.index === index,
    );
    const next = spans.find((span, other) => other > at && isText(span));
    if (at < 0 || next?.source.kind !== 'message') return [];
    const { end } = spans[at] as Span;
    const isParted = ids.some((id, token) => {
      const start = offsets[token * 2] ?? 0;
      return specials.has(id) && start >= end && start < next.start;
    });
    if (isParted) return [];
    return [
      {
        check: null,
        code: 'context-merged',
        severity: 'warning',
        path: ['messages', index],
        message: `the chat template writes this system message into the turn of messages[${next.source.index}]`,
        fix: 'Serving does the same; choose a template with a place for it where it should stand by itself.',
        window: null,
      },
    ];
  });
}

/** Tools on offer of which no word stands in the text. */
function toolFindings({ tools }: EncodeRequest, { spans }: EncodedSample): Found[] {
  if (!tools || tools.length === 0) return [];
  if (spans.some(({ source }) => source.kind === 'variable' && source.name === 'tools')) return [];
  return [
    {
      check: null,
      code: 'tools-dropped',
      severity: 'warning',
      path: ['tools'],
      message: 'the chat template leaves out the tools on offer',
      fix: 'Choose a template that has a place for them, or a format of render.agent.',
      window: null,
    },
  ];
}
