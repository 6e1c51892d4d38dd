import type { AgentFormat } from '../../schema/agent-formats.ts';
import { memberOf } from '../json-text.ts';
import { type ChatMessage, ownWordsOf, type TemplateData } from '../messages.ts';
import * as coder from './coder-calls.ts';
import {
  type Call,
  type CallReader,
  callOf,
  type Format,
  type ParsedAnswer,
  type Result,
  toolOf,
  type WrittenTurn,
} from './format.ts';
import * as invoke from './invoke-calls.ts';
import * as json from './json-calls.ts';
import * as keyed from './keyed-calls.ts';
import * as keywords from './keywords.ts';
import * as messages from './message-calls.ts';
import * as nested from './nested-calls.ts';
import { lfm2 } from './python-calls.ts';
import { type Written, words } from './written.ts';

export interface AgentConversation {
  readonly messages: readonly ChatMessage[];
  readonly tools?: readonly TemplateData[] | undefined;
}

type Named = Exclude<AgentFormat, 'none'>;

const formats: Readonly<Record<Named, Format>> = {
  react_en: keywords.reactEn,
  react_zh: keywords.reactZh,
  react_grpo: keywords.reactGrpo,
  toolbench: keywords.toolbench,
  qwen_en: keywords.qwenEn,
  qwen_zh: keywords.qwenZh,
  qwen_en_parallel: keywords.qwenEnParallel,
  qwen_zh_parallel: keywords.qwenZhParallel,
  hermes: json.hermes,
  hunyuan_hermes: json.hunyuanHermes,
  youtu: json.youtu,
  mistral: json.mistral,
  llama3: json.llama3,
  llama4: json.llama3,
  chatglm4: json.chatglm4,
  glm4: json.glm4,
  deepseek_v3_1: json.deepseekV31,
  kimi_k25: json.kimiK25,
  kimi_k3: nested.kimiK3,
  qwen3_coder: coder.qwen3Coder,
  qwen3_5: coder.qwen35,
  seed_oss: coder.seedOss,
  minimax_m2: invoke.minimaxM2,
  minimax_m3: nested.minimaxM3,
  minicpm5: invoke.minicpm5,
  deepseek_v4: invoke.deepseekV4,
  deepseek_v41: invoke.deepseekV41,
  glm4_5: keyed.glm45,
  glm4_7: keyed.glm47,
  glm5_1: keyed.glm51,
  hy_v3_preview: keyed.hyV3Preview,
  hy_v3: keyed.hyV3,
  ling3: keyed.ling3,
  spark2_5: keyed.spark25,
  xing4_0: keyed.xing40,
  gemma4: nested.gemma4,
};

export const namedFormats = Object.keys(formats) as readonly Named[];

/** Notations of models that write calls with their own template alone: read, and never chosen. */
const ownReaders = { harmony: messages.harmony, muse: messages.muse, lfm2 } satisfies Readonly<
  Record<string, CallReader>
>;

/** How calls are read. */
export type CallNotation = AgentFormat | keyof typeof ownReaders;

const readers: Readonly<Record<Exclude<CallNotation, 'none'>, CallReader>> = { ...formats, ...ownReaders };

export const callNotations = Object.keys(readers) as readonly Exclude<CallNotation, 'none'>[];

/**
 * A conversation with its tools written as text: definitions in front, calls behind what the assistant says, results as
 * turns. `parseAnswer` reads what the model then answers. Unchanged for `none`, and where nothing of it has to do with
 * tools.
 */
export function applyAgent(format: AgentFormat, { messages, tools = [] }: AgentConversation): AgentConversation {
  const concerned = tools.length > 0 || messages.some(({ role, tool_calls: calls }) => role === 'tool' || calls);
  if (format === 'none' || !concerned) return { messages, tools };
  const how = formats[format];
  const turns = writtenTurns(how, messages);
  return { messages: tools.length === 0 ? turns : withTools(how, turns, tools) };
}

/** Reads an answer of a model that was given its tools in this notation. */
export function parseAnswer(notation: CallNotation, answer: string, tools: readonly TemplateData[] = []): ParsedAnswer {
  return notation === 'none' ? { content: answer, calls: [] } : readers[notation].parse(answer, tools.map(toolOf));
}

/** What a call begins with at the earliest, in this notation. */
export const callOpenings = (notation: CallNotation): readonly string[] =>
  notation === 'none' ? [] : readers[notation].opens;

/** Special tokens without which it cannot be read. */
export const callMarks = (notation: CallNotation): readonly string[] =>
  notation === 'none' ? [] : (readers[notation].marks ?? []);

function writtenTurns({ calls: write, meet, results }: Format, messages: readonly ChatMessage[]): ChatMessage[] {
  const turns: ChatMessage[] = [];
  let called: readonly (Call & { readonly id: TemplateData })[] = [];
  for (let at = 0; at < messages.length; at++) {
    const message = messages[at] as ChatMessage;
    if (message.role === 'tool') {
      const first = at;
      while (messages[at + 1]?.role === 'tool') at++;
      const given = inOrder(messages.slice(first, at + 1), called);
      const said = given.map(
        (result, index): Result => ({ name: nameOf(result, called, index), content: textOf(result.content) }),
      );
      for (const turn of results(said)) turns.push(turnOf(turn, without(message)));
      continue;
    }
    const calls = Array.isArray(message.tool_calls) ? (message.tool_calls as readonly TemplateData[]) : [];
    called = calls.map((call) => ({ ...callOf(call), id: memberOf(call, 'id') }));
    if (calls.length === 0) turns.push(message);
    else {
      const said = textOf(message.content);
      const text = write(called);
      const content = meet ? meet(said, text) : words`${said}${text}`;
      turns.push(turnOf({ role: 'assistant', content }, without(message)));
    }
  }
  return turns;
}

function withTools(how: Format, turns: readonly ChatMessage[], given: readonly TemplateData[]): ChatMessage[] {
  const tools = given.map(toolOf);
  const [first] = turns;
  const own = first?.role === 'system' || first?.role === 'developer' ? first : undefined;
  const rest = own ? turns.slice(1) : [...turns];
  const system = how.system(tools, own && textOf(own.content));
  const front: ChatMessage[] = isTurns(system)
    ? system.map((turn) => turnOf(turn))
    : system.text === '' && !own
      ? []
      : [turnOf({ role: String(own?.role ?? 'system'), content: system }, own && without(own))];
  const asked = how.question ? rest.findIndex(({ role }) => role === 'user') : -1;
  const question = rest[asked];
  if (how.question && question)
    rest[asked] = turnOf({ role: 'user', content: how.question(tools, textOf(question.content)) }, without(question));
  return [...front, ...rest];
}

const isTurns = (system: Written | readonly WrittenTurn[]): system is readonly WrittenTurn[] => Array.isArray(system);

function turnOf({ role, content, fields }: WrittenTurn, kept: object = {}): ChatMessage {
  return { ...kept, ...fields, role, content: content.text, [ownWordsOf]: content.own } as unknown as ChatMessage;
}

/** Results in the order of their calls, where each answers one of them. */
function inOrder(
  results: readonly ChatMessage[],
  called: readonly { readonly id: TemplateData }[],
): readonly ChatMessage[] {
  const ids = called.map(({ id }) => id);
  const answered = new Set(results.map((result) => result.tool_call_id as TemplateData));
  const whole =
    results.length === ids.length &&
    answered.size === ids.length &&
    ids.every((id) => id !== undefined && answered.has(id));
  if (!whole) return results;
  return results.toSorted(
    (a, b) => ids.indexOf(a.tool_call_id as TemplateData) - ids.indexOf(b.tool_call_id as TemplateData),
  );
}

/** The tool that gave a result: its own word, the call it answers, or the one it stands behind. */
function nameOf(
  result: ChatMessage,
  ...[called, index]: [called: readonly (Call & { readonly id: TemplateData })[], index: number]
): string {
  if (typeof result.name === 'string') return result.name;
  const id = result.tool_call_id as TemplateData;
  const answered = id === undefined ? undefined : called.find((call) => call.id === id);
  return (answered ?? called[index])?.name ?? '';
}

function without(message: ChatMessage): Readonly<Record<string, TemplateData>> {
  const { tool_calls: _, tool_call_id: __, name: ___, ...rest } = message as Readonly<Record<string, TemplateData>>;
  return rest;
}

function textOf(content: TemplateData): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part) => String(memberOf(part, 'text') ?? '')).join('');
}
