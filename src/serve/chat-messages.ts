import type { Issue } from '../core/issue.ts';
import type { Json } from '../schema/common.ts';
import { type Message, message as messageSchema } from '../schema/sample.ts';
import { isObject, issue, type JsonObject, shown } from './request-issue.ts';

const roles = ['system', 'developer', 'user', 'assistant', 'tool'] as const;

/** Members of a message that mean something here; clients send answers back with more (`refusal`, `annotations` ...). */
const members = ['role', 'content', 'name', 'reasoning_content', 'tool_calls', 'tool_call_id'] as const;

/** What a client says, as a template is given it. */
export function readMessages(value: Json | undefined, issues: Issue[]): Message[] {
  if (!Array.isArray(value) || value.length === 0) {
    issues.push(issue(['messages'], `found ${shown(value)}.`, 'a list of at least one message'));
    return [];
  }
  return value.flatMap((message, index) => readMessage(message, ['messages', index], issues) ?? []);
}

type Path = readonly (string | number)[];

function readMessage(value: Json, path: Path, issues: Issue[]): Message | undefined {
  if (!isObject(value)) {
    issues.push(issue(path, `found ${shown(value)}.`, '{"role": ..., "content": ...}'));
    return undefined;
  }
  const before = issues.length;
  if (!roles.some((role) => role === value.role))
    issues.push(issue([...path, 'role'], `found ${shown(value.role)}.`, `one of ${roles.join(', ')}`));
  const content = readContent(value, [...path, 'content'], issues);
  if (issues.length > before) return undefined;
  const kept: JsonObject = {};
  for (const name of members) {
    const member = name === 'content' ? content : value[name];
    if (member !== undefined && (member !== null || name === 'content')) kept[name] = member;
  }
  const read = messageSchema.safeParse(kept);
  if (read.success) return read.data;
  for (const { path: inside, message } of read.error.issues)
    issues.push(issue([...path, ...inside.map((key) => (typeof key === 'number' ? key : String(key)))], `${message}.`));
  return undefined;
}

function readContent(message: JsonObject, path: Path, issues: Issue[]): Json {
  const content = message.content ?? null;
  if (typeof content === 'string') return content;
  if (content === null) {
    const calls = Array.isArray(message.tool_calls) && message.tool_calls.length > 0;
    if (message.role !== 'assistant' || !calls) issues.push(issue(path, 'says nothing.', 'a text or a list of parts'));
    return null;
  }
  if (!Array.isArray(content)) {
    issues.push(issue(path, `found ${shown(content)}.`, 'a text or a list of parts'));
    return null;
  }
  content.forEach((part, index) => {
    if (isObject(part) && part.type === 'text' && typeof part.text === 'string') return;
    const kind = isObject(part) && typeof part.type === 'string' ? `a part of type ${part.type}` : shown(part);
    issues.push(issue([...path, index], `found ${kind}.`, '{"type": "text", "text": ...}: this model reads text only'));
  });
  // Clients put more into a part than the template is to see (`cache_control` ...).
  return content.map((part) => (isObject(part) ? { type: 'text', text: part.text ?? '' } : part));
}
