import { formatPath } from '../core/issue.ts';
import { nearestName } from '../core/nearest.ts';
import type { Json } from '../schema/common.ts';
import type { Message, ToolCall } from '../schema/sample.ts';
import { turnsOfBlocks } from './blocks.ts';
import { readContent } from './content.ts';
import { type RowNotes, type RowPath, shown } from './row-notes.ts';
import { isObject, type JsonObject } from './strict-json.ts';
import { readCallText, readToolCalls } from './tool-calls.ts';

type Role = Message['role'];

/** What the formats call a speaker. `call`: a turn whose text is the JSON of one or more tool calls. */
const speakers: Readonly<Record<string, Role | 'call'>> = {
  system: 'system',
  developer: 'developer',
  user: 'user',
  human: 'user',
  assistant: 'assistant',
  gpt: 'assistant',
  chatgpt: 'assistant',
  bot: 'assistant',
  model: 'assistant',
  tool: 'tool',
  observation: 'tool',
  observations: 'tool',
  tool_response: 'tool',
  function_response: 'tool',
  function: 'tool',
  tool_call: 'call',
  function_call: 'call',
};

/** What is thought is called by each of these; transformers reads them alike. */
const reasoningKeys = ['reasoning_content', 'reasoning', 'thinking'] as const;

const turnKeys = [
  'role',
  'from',
  'content',
  'value',
  'name',
  ...reasoningKeys,
  'tool_calls',
  'function_call',
  'tool_call_id',
  'learn',
  'loss',
  'weight',
  'loss_scale',
] as const;

/**
 * A conversation in any of the forms turns are written in: `role` and `content` (OpenAI) or `from` and `value` (ShareGPT),
 * tool calls as a list or as turns of their own. What cannot be read is reported; what is left out is noted as a change.
 */
export function readTurns(value: Json | undefined, path: RowPath, notes: RowNotes): Message[] {
  if (!Array.isArray(value)) {
    notes.problem({
      code: 'wrong-type',
      path,
      message: `found ${shown(value)}.`,
      expected: 'a list of turns',
      fix: typeof value === 'string' ? 'Write the list itself, not a text that holds it.' : undefined,
    });
    return [];
  }
  if (value.length === 0) notes.problem({ code: 'empty-conversation', path, message: 'there are no turns.' });
  const messages: Message[] = [];
  for (const [index, turn] of value.entries())
    for (const single of singleTurns(turn)) readTurn(single, [...path, index], messages, notes);
  return messages;
}

/** What a row of ShareGPT's pairs calls the two speakers of `{human, assistant}`, in their order. */
const pairKeys = ['system', 'tool', 'human', 'user', 'assistant', 'bot', 'gpt'] as const;

/** A turn that holds several, as turns of their own: a pair of question and answer, or Anthropic's blocks. */
function singleTurns(turn: Json): readonly Json[] {
  if (!isObject(turn)) return [turn];
  if (turn.role !== undefined || turn.from !== undefined) return turnsOfBlocks(turn) ?? [turn];
  const pair = pairKeys.filter((key) => typeof turn[key] === 'string');
  const isPair = pair.length > 0 && pair.length === Object.values(turn).filter((value) => value !== null).length;
  return isPair ? pair.map((key) => ({ role: key, content: turn[key] ?? '' })) : [turn];
}

/** Appends the turn's message; a turn that only calls tools joins the assistant's message before it. */
function readTurn(turn: Json, path: RowPath, messages: Message[], notes: RowNotes): void {
  if (!isObject(turn)) {
    notes.problem({
      code: 'wrong-type',
      path,
      message: `found ${shown(turn)}.`,
      expected: 'a turn with role and content',
    });
    return;
  }
  const reader = turnReader(turn, path, notes);
  const speaker = readSpeaker(turn, path, notes);
  reportUnknownKeys(turn, path, notes);
  const learn = reader.boolean('learn', 'loss');
  const weight = reader.weight();
  const control = { ...(learn !== undefined && { learn }), ...(weight !== undefined && { weight }) };
  if (speaker === null) return;

  if (speaker === 'call') {
    const calls = readCallText(turn.content ?? turn.value, [...path, 'content' in turn ? 'content' : 'value'], notes);
    joinCalls(messages, { calls, control, path }, notes);
    return;
  }
  const calls = speaker === 'assistant' ? readToolCalls(turn, path, notes) : undefined;
  const content = readContent(turn, path, { mayBeAbsent: calls !== undefined, notes });
  const name = reader.string('name');
  const reasoning = reader.first(...reasoningKeys);
  const callId = reader.string('tool_call_id');
  if (content === undefined) return;
  messages.push({
    role: speaker,
    content,
    ...(name !== undefined && { name }),
    ...(reasoning !== undefined && { reasoning_content: reasoning }),
    ...(calls && { tool_calls: calls }),
    ...(callId !== undefined && { tool_call_id: callId }),
    ...control,
  });
}

interface CallTurn {
  readonly calls: ToolCall[];
  readonly control: Pick<Message, 'learn' | 'weight'>;
  readonly path: RowPath;
}

/** A turn of calls joins the assistant's message before it where it learns alike; of turns of calls in a row, the first says. */
function joinCalls(messages: Message[], { calls, control, path }: CallTurn, notes: RowNotes): void {
  const before = messages.at(-1);
  const { learn = control.learn, weight = control.weight } = before ?? {};
  const isAlike = before?.learn === control.learn && before?.weight === control.weight;
  const isCallOnly = before?.role === 'assistant' && before.content === null && before.tool_calls !== undefined;
  if (!isCallOnly && !(before?.role === 'assistant' && isAlike)) {
    messages.push({ role: 'assistant', content: null, tool_calls: calls, ...control });
    return;
  }
  if ((control.learn ?? learn) !== learn || (control.weight ?? weight) !== weight)
    notes.changes.push(`${formatPath(path)}: is learned as the call before it`);
  before.tool_calls = [...(before.tool_calls ?? []), ...calls];
  if (learn !== undefined) before.learn = learn;
  if (weight !== undefined) before.weight = weight;
}

function speakerNamed(written: Json): Role | 'call' | undefined {
  const name = typeof written === 'string' ? written.replaceAll('-', '_') : '';
  return Object.hasOwn(speakers, name) ? speakers[name] : undefined;
}

function readSpeaker(turn: JsonObject, path: RowPath, notes: RowNotes): Role | 'call' | null {
  const key = turn.role !== undefined ? 'role' : 'from';
  const written = turn[key];
  if (written === undefined) {
    notes.problem({
      code: 'role-missing',
      path,
      message: `the turn does not say who speaks; it has ${shown(Object.keys(turn))}.`,
      expected: 'role (or from)',
    });
    return null;
  }
  const speaker = speakerNamed(written);
  if (speaker === undefined) {
    const near = typeof written === 'string' ? nearestName(written, Object.keys(speakers)) : undefined;
    notes.problem({
      code: 'role-unknown',
      path: [...path, key],
      message: `found ${shown(written)}.`,
      expected: 'system, user, assistant or tool',
      fix: near && `Did you mean ${near}?`,
    });
    return null;
  }
  if (turn.role !== undefined && typeof turn.from === 'string' && speakerNamed(turn.from) !== speaker) {
    notes.problem({
      code: 'role-ambiguous',
      path,
      message: `role is ${shown(turn.role)} and from is ${shown(turn.from)}.`,
      fix: 'Keep one of the two.',
    });
    return null;
  }
  return speaker;
}

/** A slip in a key that matters must not pass for a key that does not. */
function reportUnknownKeys(turn: JsonObject, path: RowPath, notes: RowNotes): void {
  for (const [key, value] of Object.entries(turn)) {
    if ((turnKeys as readonly string[]).includes(key)) continue;
    if (value === null || (Array.isArray(value) && value.length === 0)) continue;
    const near = nearestName(key, turnKeys);
    if (near && turn[near] === undefined)
      notes.problem({
        code: 'unknown-key',
        path: [...path, key],
        message: 'this key of a turn is not known.',
        fix: `Did you mean ${near}?`,
      });
    else notes.changes.push(`${formatPath([...path, key])} left out`);
  }
}

function turnReader(turn: JsonObject, path: RowPath, notes: RowNotes) {
  const wrong = (key: string, expected: string): undefined => {
    notes.problem({ code: 'wrong-type', path: [...path, key], message: `found ${shown(turn[key])}.`, expected });
    return undefined;
  };
  return {
    string(key: string): string | undefined {
      const value = turn[key] ?? undefined;
      return value === undefined || typeof value === 'string' ? value : wrong(key, 'a text');
    },
    /** The first that says something; what another one says beside it is noted as left out. */
    first(...keys: readonly string[]): string | undefined {
      const given = keys.filter((key) => turn[key] !== undefined && turn[key] !== null);
      const [first, ...others] = given;
      if (first === undefined) return undefined;
      for (const key of others)
        if (turn[key] !== turn[first]) notes.changes.push(`${formatPath([...path, key])} left out`);
      return this.string(first);
    },
    boolean(...keys: readonly string[]): boolean | undefined {
      const key = keys.find((name) => turn[name] !== undefined && turn[name] !== null);
      if (key === undefined) return undefined;
      const value = turn[key];
      return typeof value === 'boolean' ? value : wrong(key, 'true or false');
    },
    weight(): number | undefined {
      const key = ['weight', 'loss_scale'].find((name) => turn[name] !== undefined && turn[name] !== null);
      if (key === undefined) return undefined;
      const value = turn[key];
      return typeof value === 'number' && value >= 0 ? value : wrong(key, 'a number of 0 or more');
    },
  };
}
