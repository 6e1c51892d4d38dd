import type { ContentPart, Message, Sample, ToolCall } from '../../schema/sample.ts';
import { mapJson } from './json-texts.ts';

/** A text of a row, where it stands, and who says it. */
export interface RowText {
  readonly text: string;
  /** Such as `messages[1].content`. */
  readonly path: string;
  readonly role: Message['role'];
}

type Change = (text: RowText) => string;

/** Whether the arguments of tool calls are texts too, value by value as in `json-texts`. */
export interface TextsAsked {
  readonly calls?: boolean;
}

const isMessage = (value: unknown): value is Message =>
  typeof value === 'object' && value !== null && 'role' in value && 'content' in value;

/** The row with every text of its messages put through `change`; the same object when none differs. */
export function mapTexts(sample: Sample, ...[told, { calls = false } = {}]: [Change, TextsAsked?]): Sample {
  const change = { text: told, calls };
  const result: Record<string, unknown> = {};
  let differs = false;
  for (const [key, value] of Object.entries(sample)) {
    const mapped = key === 'provenance' || key === 'extra' ? value : mapTurns(value, key, change);
    if (mapped !== value) differs = true;
    result[key] = mapped;
  }
  return differs ? (result as Sample) : sample;
}

/** Every text of its messages, in order: contents, parts, reasoning. */
export function textsOf(sample: Sample): readonly RowText[] {
  const texts: RowText[] = [];
  mapTexts(sample, (text) => {
    texts.push(text);
    return text.text;
  });
  return texts;
}

interface Asked {
  readonly text: Change;
  readonly calls: boolean;
}

/** Lists of messages, however deep; what is not one stays as it is. */
function mapTurns(value: unknown, ...[path, change]: [path: string, change: Asked]): unknown {
  if (!Array.isArray(value)) return value;
  let differs = false;
  const mapped = value.map((item, index) => {
    const at = `${path}[${index}]`;
    const now = isMessage(item) ? mapMessage(item, at, change) : mapTurns(item, at, change);
    if (now !== item) differs = true;
    return now;
  });
  return differs ? mapped : value;
}

function mapMessage(message: Message, ...[path, change]: [path: string, change: Asked]): Message {
  const { role, content, reasoning_content: reasoning } = message;
  const now =
    typeof content === 'string'
      ? change.text({ text: content, path: `${path}.content`, role })
      : content && mapParts(content, `${path}.content`, (text) => change.text({ ...text, role }));
  const thought =
    reasoning === undefined ? undefined : change.text({ text: reasoning, path: `${path}.reasoning_content`, role });
  const calls = change.calls
    ? mapCalls(message.tool_calls, `${path}.tool_calls`, (text) => change.text({ ...text, role }))
    : message.tool_calls;
  if (now === content && thought === reasoning && calls === message.tool_calls) return message;
  return {
    ...message,
    content: now,
    ...(thought !== undefined && { reasoning_content: thought }),
    ...(calls !== undefined && { tool_calls: calls }),
  };
}

type ChangeText = (text: Omit<RowText, 'role'>) => string;

/** What is called keeps its name, and so do its arguments. */
function mapCalls(calls: ToolCall[] | undefined, ...[path, change]: [path: string, change: ChangeText]) {
  let differs = false;
  const mapped = calls?.map((call, index) => {
    const given = call.function.arguments;
    const now = mapJson(given, `${path}[${index}].function.arguments`, change) as typeof given;
    if (now === given) return call;
    differs = true;
    return { ...call, function: { ...call.function, arguments: now } };
  });
  return differs ? mapped : calls;
}

function mapParts(parts: ContentPart[], ...[path, change]: [path: string, change: ChangeText]): ContentPart[] {
  let differs = false;
  const mapped = parts.map((part, index) => {
    if (part.type !== 'text') return part;
    const text = change({ text: part.text, path: `${path}[${index}].text` });
    if (text === part.text) return part;
    differs = true;
    return { ...part, text };
  });
  return differs ? mapped : parts;
}

/** What a message says in words. */
export function wordsOfMessage({ content }: Message): string {
  if (typeof content === 'string') return content;
  return (content ?? []).flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n');
}

/** Lower-case words for comparing texts; a character of a script that has no spaces is a word of its own. */
export function comparedWords(text: string): string[] {
  return text.toLowerCase().match(/[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}]|[\p{L}\p{N}\p{M}]+/gu) ?? [];
}
