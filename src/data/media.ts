import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Json } from '../schema/common.ts';
import type { ContentPart, Message } from '../schema/sample.ts';
import { type RowNotes, shown } from './row-notes.ts';
import { isNothing, isObject, type JsonObject, readStrictJson } from './strict-json.ts';

export const mediaKinds = ['image', 'video', 'audio'] as const;
export type MediaKind = (typeof mediaKinds)[number];
type Address = string | string[];

/** Columns that hold media, by kind: `images`, or `image` for a single one. */
const columnsOf = (kind: MediaKind, prefix: string): readonly string[] => [`${prefix}${kind}s`, `${prefix}${kind}`];

/** Those of all kinds; `prefix` for those of another conversation of the row, as `rejected_`. */
export const mediaColumns = (prefix: string): readonly string[] =>
  mediaKinds.flatMap((kind) => columnsOf(kind, prefix));

/** Media that stand beside the messages, by kind, in the order their tags take them. */
export type MediaLists = Readonly<
  Partial<Record<MediaKind, { readonly column: string; readonly items: readonly Address[] }>>
>;

/** The media columns of a row; `prefix` for those of its rejected answer (`rejected_images`). */
export function readMedia(row: JsonObject, notes: RowNotes, prefix = ''): MediaLists {
  const lists: Partial<Record<MediaKind, { column: string; items: Address[] }>> = {};
  for (const kind of mediaKinds) {
    const column = columnsOf(kind, prefix).find((name) => !isNothing(row[name]));
    if (column === undefined) continue;
    const items = readMediaList(row[column], { kind, path: [column], notes });
    if (items.length > 0) lists[kind] = { column, items };
  }
  return lists;
}

interface MediaPlace {
  readonly kind: MediaKind;
  readonly path: readonly (string | number)[];
  readonly notes: RowNotes;
}

/** One medium, or a list of them; a table writes the list as JSON. */
function readMediaList(value: Json | undefined, { kind, path, notes }: MediaPlace): Address[] {
  const isText = typeof value === 'string' && /^\s*\[/.test(value);
  const given = isText ? readStrictJson(value, notes, path) : value;
  if (given === undefined) return [];
  const items = Array.isArray(given) ? given : [given];
  return items.flatMap((item, index) => {
    const at = Array.isArray(given) ? [...path, index] : path;
    const address = readMedium(item, { kind, path: at, notes });
    return address === null ? [] : [address];
  });
}

/** One medium; null, with the reason in `notes`, for what is none. */
export function readMedium(value: Json, { kind, path, notes }: MediaPlace): Address | null {
  const address = addressOf(value, kind);
  if (address === null)
    notes.problem({
      code: 'media-unreadable',
      path,
      message: `found ${shown(value)}.`,
      expected: `a path, a URL, base64 or {"bytes", "path"}${kind === 'video' ? ', or a list of frames' : ''}`,
    });
  return address;
}

/** A path, URL or data URI as it stands; bytes (as base64) as a data URI; a video may be a list of frames. */
function addressOf(value: Json, kind: MediaKind): Address | null {
  if (typeof value === 'string') return value === '' ? null : withMediaType(value);
  if (Array.isArray(value)) {
    const frames = value.map((frame) => addressOf(frame, 'image'));
    const isFrames = kind === 'video' && frames.length > 0 && frames.every((frame) => typeof frame === 'string');
    return isFrames ? frames : null;
  }
  if (!isObject(value)) return null;
  const { bytes, path, url, data, format } = value;
  if (typeof bytes === 'string' && bytes !== '') return withMediaType(bytes, true);
  if (typeof data === 'string' && data !== '')
    return `data:${kind}/${typeof format === 'string' ? format : '*'};base64,${data}`;
  const address = path ?? url;
  return typeof address === 'string' && address !== '' ? address : null;
}

/** How the base64 of well-known files begins. */
const beginnings: readonly (readonly [string, string])[] = [
  ['iVBORw0KGgo', 'image/png'],
  ['/9j/', 'image/jpeg'],
  ['R0lGOD', 'image/gif'],
  ['UklGR', 'image/webp'],
];

function withMediaType(value: string, isBase64 = false): string {
  const type = beginnings.find(([start]) => value.startsWith(start))?.[1];
  if (isBase64 || (type !== undefined && value.length > 64 && /^[A-Za-z0-9+/=]+$/.test(value)))
    return `data:${type ?? 'application/octet-stream'};base64,${value}`;
  return value;
}

export function mediaPart(kind: MediaKind, address: Address): ContentPart {
  if (kind === 'video') return { type: 'video', video: address };
  const one = typeof address === 'string' ? address : (address[0] ?? '');
  return kind === 'image' ? { type: 'image', image: one } : { type: 'audio', audio: one };
}

const anyTag = /<(image|video|audio)>/;

/**
 * Puts media where their tags (`<image>`, `<video>`, `<audio>`) or parts without an address stand, in order. Where there is
 * no tag at all they go in front of the first message that is no system message, as ms-swift has it.
 * A kind that has no list is left alone: then `<video>` is a word like any other.
 */
export function placeMedia(messages: readonly Message[], lists: MediaLists, notes: RowNotes): Message[] {
  const wanted = mediaKinds.filter((kind) => lists[kind] !== undefined);
  if (wanted.length === 0) return [...messages];
  const counts = countTags(messages);
  const missing: ContentPart[] = [];
  for (const kind of wanted) {
    const { column, items } = lists[kind] ?? { column: kind, items: [] };
    if (counts[kind] === 0) {
      missing.push(...items.map((item) => mediaPart(kind, item)));
      notes.changes.push(`${column}: put in front, for there is no <${kind}> in the text`);
    } else if (counts[kind] !== items.length)
      notes.problem({
        code: 'media-count',
        path: [column],
        message: `${items.length} in ${column}, and ${counts[kind]} <${kind}> in the text.`,
        fix: `Give one for each <${kind}>.`,
      });
  }
  const next: Partial<Record<MediaKind, number>> = {};
  const take = (kind: MediaKind): ContentPart | null => {
    const index = next[kind] ?? 0;
    next[kind] = index + 1;
    const item = counts[kind] === 0 ? undefined : lists[kind]?.items[index];
    return item === undefined ? null : mediaPart(kind, item);
  };
  const placed = messages.map((message) => placeIn(message, take));
  return missing.length === 0 ? placed : withInFront(placed, missing);
}

function countTags(messages: readonly Message[]): Record<MediaKind, number> {
  const counts = { image: 0, video: 0, audio: 0 };
  const inText = (text: string): void => {
    for (const [, kind] of text.matchAll(new RegExp(anyTag, 'g'))) counts[kind as MediaKind]++;
  };
  for (const { content } of messages) {
    if (typeof content === 'string') inText(content);
    else
      for (const part of content ?? []) {
        if (part.type === 'text') inText(part.text);
        else if (isWaiting(part)) counts[part.type]++;
      }
  }
  return counts;
}

/** A part that says what it is and not which: its address stands in a column. */
export const waitingAddress = '';
const isWaiting = (part: ContentPart): boolean =>
  (part.type === 'image' && part.image === waitingAddress) ||
  (part.type === 'audio' && part.audio === waitingAddress) ||
  (part.type === 'video' && part.video === waitingAddress);

function placeIn(message: Message, take: (kind: MediaKind) => ContentPart | null): Message {
  const { content } = message;
  if (content === null) return message;
  if (typeof content === 'string') {
    const parts = splitText(content, take);
    return parts.some(({ type }) => type !== 'text') ? { ...message, content: parts } : message;
  }
  const parts = content.flatMap((part): ContentPart[] => {
    if (part.type === 'text') return splitText(part.text, take);
    return isWaiting(part) ? [take(part.type) ?? part] : [part];
  });
  return { ...message, content: parts };
}

/** Text with its tags replaced; a tag whose kind has no list stays text. */
function splitText(text: string, take: (kind: MediaKind) => ContentPart | null): ContentPart[] {
  const parts: ContentPart[] = [];
  let said = '';
  for (const piece of text.split(/(<image>|<video>|<audio>)/)) {
    const kind = anyTag.exec(piece)?.[1] as MediaKind | undefined;
    const part = kind === undefined ? null : take(kind);
    if (part === null) {
      said += piece;
      continue;
    }
    if (said !== '') parts.push({ type: 'text', text: said });
    said = '';
    parts.push(part);
  }
  if (said !== '' || parts.length === 0) parts.push({ type: 'text', text: said });
  return parts;
}

function withInFront(messages: readonly Message[], parts: readonly ContentPart[]): Message[] {
  const at = messages.findIndex(({ role }) => role !== 'system' && role !== 'developer');
  return messages.map((message, index) => {
    if (index !== at) return message;
    const { content } = message;
    const said: ContentPart[] = typeof content === 'string' ? [{ type: 'text', text: content }] : (content ?? []);
    return { ...message, content: [...parts, ...said] };
  });
}

/** Every address in a conversation, with the message it stands in. */
export function* mediaIn(
  messages: readonly Message[],
): Generator<{ readonly address: string; readonly index: number }> {
  for (const [index, { content }] of messages.entries()) {
    if (content === null || typeof content === 'string') continue;
    for (const part of content) {
      if (part.type === 'text') continue;
      const held = part.type === 'image' ? part.image : part.type === 'audio' ? part.audio : part.video;
      for (const address of typeof held === 'string' ? [held] : held) yield { address, index };
    }
  }
}

/** Where a medium lies on this machine; null for what is no file: a URL, a data URI, a content hash. */
export function mediaFile(address: string, folder: string): string | null {
  if (address.startsWith('file:')) {
    try {
      return fileURLToPath(address);
    } catch {
      // Another machine's, or no URL at all: then it is not found under that name either.
      return resolve(folder, address);
    }
  }
  return /^[a-z][a-z0-9+.-]+:/i.test(address) ? null : resolve(folder, address);
}

interface MediaFilePlace {
  /** What the conversation is called, for the messages of issues. */
  readonly column: string;
  /** The file of the row. */
  readonly file: string;
  /** The folder the recipe names; null for that of the file. */
  readonly root: string | null;
  readonly notes: RowNotes;
}

/** Reports media that are not there, each once a conversation. */
export function checkMediaFiles(messages: readonly Message[], { column, file, root, notes }: MediaFilePlace): void {
  const folder = root ?? dirname(file);
  const missing = new Set<string>();
  for (const { address, index } of mediaIn(messages)) {
    if (address === waitingAddress) {
      notes.problem({
        code: 'media-count',
        path: [column, index],
        message: 'a part names no file, and no column holds one for it.',
        fix: 'Give the columns images, videos or audios, or write the path into the part.',
      });
      continue;
    }
    const path = mediaFile(address, folder);
    if (path === null || missing.has(path) || existsSync(path)) continue;
    missing.add(path);
    notes.problem({
      code: 'media-missing',
      path: [column, index],
      message: `${shown(address)} is not in ${folder}.`,
      fix: 'Put the file there, or name its folder as data.sources[].media.',
    });
  }
}
