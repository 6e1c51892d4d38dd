import type { Json } from '../schema/common.ts';
import { type Message, type Objects, objects } from '../schema/sample.ts';
import { type RowNotes, shown } from './row-notes.ts';
import { isObject, type JsonObject, readStrictJson } from './strict-json.ts';

/** The largest coordinate; a box in pixels may reach beyond its image. */
const largest = { real: Number.POSITIVE_INFINITY, norm1: 1, norm1000: 1000 } as const;

/** The `objects` column of grounding rows, held against the tags of the text and the bounds of its coordinates. */
export function readObjects(row: JsonObject, messages: readonly Message[], notes: RowNotes): Objects | undefined {
  const found = notes.issues.length;
  const value = typeof row.objects === 'string' ? readStrictJson(row.objects, notes, ['objects']) : row.objects;
  if (value === undefined || value === null || (isObject(value) && Object.keys(value).length === 0)) return undefined;
  const given = isObject(value) ? withDefaults(value) : value;
  const read = objects.safeParse(given);
  if (!read.success) {
    for (const issue of read.error.issues)
      notes.problem({
        code: 'wrong-type',
        path: ['objects', ...issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key))],
        message: `${issue.message}: found ${shown(valueAt(given, issue.path))}.`,
        expected: '{"ref": [names], "bbox": [[x1, y1, x2, y2] or [x, y]], "bbox_type": real, norm1 or norm1000}',
      });
    return undefined;
  }
  checkTags(read.data, messages, notes);
  checkBounds(read.data, notes);
  checkImages(read.data, messages, notes);
  return notes.issues.length > found ? undefined : read.data;
}

/** Lists that are left out are empty; coordinates are pixels unless something else is said. Null counts as left out. */
function withDefaults(value: JsonObject): JsonObject {
  const set = Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null));
  return { ref: [], bbox: [], bbox_type: 'real', ...set };
}

function valueAt(value: Json, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key], value);
}

function checkTags({ ref, bbox }: Objects, messages: readonly Message[], notes: RowNotes): void {
  const text = messages
    .flatMap(({ content }) =>
      typeof content === 'string' ? [content] : (content ?? []).map((part) => (part.type === 'text' ? part.text : '')),
    )
    .join('\n');
  const tags = [
    ['ref', '<ref-object>', ref.length],
    ['bbox', '<bbox>', bbox.length],
  ] as const;
  for (const [key, tag, count] of tags) {
    const written = text.split(tag).length - 1;
    if (written === count) continue;
    notes.problem({
      code: 'objects-count',
      path: ['objects', key],
      message: `${count} in objects.${key}, and ${written} ${tag} in the text.`,
      fix: `Give one for each ${tag}.`,
    });
  }
}

function checkBounds({ bbox, bbox_type: kind }: Objects, notes: RowNotes): void {
  const most = largest[kind];
  for (const [index, box] of bbox.entries())
    if (kind !== 'real' && box.some((value) => value < 0 || value > most))
      notes.problem({
        code: 'box-outside',
        path: ['objects', 'bbox', index],
        message: `${shown(box)} is not within 0 to ${most}.`,
        fix: 'Set objects.bbox_type to what the numbers are: real, norm1 or norm1000.',
      });
}

function checkImages({ bbox, image_id: ids }: Objects, messages: readonly Message[], notes: RowNotes): void {
  if (ids === undefined) return;
  if (ids.length !== bbox.length)
    notes.problem({
      code: 'counts-differ',
      path: ['objects', 'image_id'],
      message: `${bbox.length} boxes and ${ids.length} image ids.`,
      fix: 'Give one for each, or leave image_id out.',
    });
  const parts = messages.flatMap(({ content }) => (Array.isArray(content) ? content : []));
  const count = parts.filter(({ type }) => type === 'image').length;
  for (const [index, id] of ids.entries())
    if (id >= count)
      notes.problem({
        code: 'image-unknown',
        path: ['objects', 'image_id', index],
        message: `found ${id}; the row has ${count} ${count === 1 ? 'image' : 'images'}.`,
        fix: 'Images are counted from 0.',
      });
}
