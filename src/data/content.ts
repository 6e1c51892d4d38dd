import type { Json } from '../schema/common.ts';
import type { ContentPart, Message } from '../schema/sample.ts';
import { mediaKinds, mediaPart, readMedium, waitingAddress } from './media.ts';
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

const textTypes = ['text', 'input_text', 'output_text'];

/**
 * `{type: 'text', text}`, a bare text, `{type: 'image', image}`, OpenAI's `{type: 'image_url', image_url: {url}}` and
 * `{type: 'input_audio', input_audio: {data, format}}`, Anthropic's `{type: 'image', source}`, or `{type: 'image'}` alone
 * where the column `images` holds it.
 */
export function readPart(part: Json, path: RowPath, notes: RowNotes): ContentPart | null {
  if (typeof part === 'string') return { type: 'text', text: part };
  if (isObject(part)) {
    const { type } = part;
    if (typeof type === 'string' && textTypes.includes(type) && typeof part.text === 'string')
      return { type: 'text', text: part.text };
    const kind = mediaKinds.find((known) => [known, `${known}_url`, `input_${known}`].some((name) => name === type));
    if (kind !== undefined) {
      const held = part[kind] ?? part[`${kind}_url`] ?? part[`input_${kind}`] ?? part.url ?? part.path ?? part.source;
      if (held === undefined || held === null) return mediaPart(kind, waitingAddress);
      if (isObject(held) && typeof held.media_type === 'string' && typeof held.data === 'string')
        return mediaPart(kind, `data:${held.media_type};base64,${held.data}`);
      const address = readMedium(held, { kind, path, notes });
      return address === null ? null : mediaPart(kind, address);
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
