import type { Json } from '../schema/common.ts';
import type { ContentPart, Message } from '../schema/sample.ts';
import { type RowNotes, type RowPath, shown } from './row-notes.ts';
import { isObject, type JsonObject } from './strict-json.ts';

interface ContentRules {
  readonly mayBeAbsent: boolean;
  readonly notes: RowNotes;
}

/** What a turn says; undefined, with the reason in `notes`, when that cannot be told. */
export function readContent(
  turn: JsonObject,
  path: RowPath,
  { mayBeAbsent, notes }: ContentRules,
): Message['content'] | undefined {
  const key = turn.content !== undefined ? 'content' : 'value';
  const value = turn[key];
  if (typeof value === 'string') return value;
  if (value === undefined || value === null) {
    if (mayBeAbsent) return null;
    notes.problem({ code: 'content-missing', path, message: 'the turn says nothing.', expected: 'content (or value)' });
    return undefined;
  }
  if (Array.isArray(value)) {
    const parts = value.map((part, index) => readPart(part, [...path, key, index], notes));
    return parts.filter((part) => part !== null);
  }
  notes.problem({
    code: 'wrong-type',
    path: [...path, key],
    message: `found ${shown(value)}.`,
    expected: 'a text or a list of parts',
  });
  return undefined;
}

const mediaKinds = ['image', 'audio', 'video'] as const;

/** `{type: 'text', text}`, a bare text, `{type: 'image', image}` or OpenAI's `{type: 'image_url', image_url: {url}}`. */
function readPart(part: Json, path: RowPath, notes: RowNotes): ContentPart | null {
  if (typeof part === 'string') return { type: 'text', text: part };
  if (isObject(part)) {
    if (part.type === 'text' && typeof part.text === 'string') return { type: 'text', text: part.text };
    for (const kind of mediaKinds) {
      if (part.type !== kind && part.type !== `${kind}_url`) continue;
      const held = part[kind] ?? part[`${kind}_url`] ?? part.url;
      const address = isObject(held) ? held.url : held;
      if (typeof address !== 'string') continue;
      if (kind === 'image') return { type: kind, image: address };
      if (kind === 'audio') return { type: kind, audio: address };
      return { type: kind, video: address };
    }
  }
  notes.problem({
    code: 'part-unknown',
    path,
    message: `found ${shown(part)}.`,
    expected: 'a part such as {"type": "text", "text": ...} or {"type": "image", "image": ...}',
  });
  return null;
}
