import { isDeepStrictEqual } from 'node:util';
import { type RandomStream, randomStream, streamKey } from '../core/random.ts';
import type { Json } from '../schema/common.ts';
import { type Sample, sample } from '../schema/sample.ts';
import type { RowContent } from './columns.ts';
import { formats, readingsOf } from './formats.ts';
import { changedRow } from './fuzz-readers.ts';
import { readRow } from './read-row.ts';
import { rowNotes } from './row-notes.ts';
import { isObject, type JsonObject } from './strict-json.ts';

export interface ManyRows {
  readonly seed: number;
  /** Of each kind: of a known form, changed in a few places; and of known columns with anything in them. */
  readonly rows: number;
}

function read(row: JsonObject, format: (typeof formats)[number]) {
  const notes = rowNotes({ file: '/rows.jsonl', line: 1 });
  const given = structuredClone(row);
  const result = readRow(given, { values: { columns: null, media: null }, file: '/rows.jsonl', format }, notes);
  return { content: result?.content, issues: notes.issues };
}

const asSample = ({ terms: _, ...content }: RowContent & { terms: unknown }): Sample => ({
  id: '',
  ...content,
  split: 'train',
  provenance: { source: 'rows.jsonl', file: '/rows.jsonl', line: 1, sha256: '0'.repeat(64) },
});

const names = [...new Set(formats.flatMap(({ columns }) => columns))];
const words = [
  '',
  'q',
  '<image>',
  '\n\nHuman: q\n\nAssistant: a',
  '[]',
  '{"a":1.0}',
  'user',
  'assistant',
  'data:,1',
  '1',
];

function randomJson(random: RandomStream, depth: number): Json {
  const kind = random.below(depth === 0 ? 5 : 8);
  if (kind <= 1) return words[random.below(words.length)] ?? '';
  if (kind === 2) return random.below(5) - 1;
  if (kind === 3) return random.below(2) === 0;
  if (kind === 4) return null;
  if (kind === 5) return Array.from({ length: random.below(3) }, () => randomJson(random, depth - 1));
  const keys = [
    'role',
    'content',
    'from',
    'value',
    'type',
    'text',
    'score',
    'rank',
    'ref',
    'bbox',
    'bytes',
    'name',
    'arguments',
  ];
  const members = Array.from({ length: random.below(4) }, () => [
    keys[random.below(keys.length)],
    randomJson(random, depth - 1),
  ]);
  return Object.fromEntries(members) as JsonObject;
}

function randomRow(random: RandomStream): JsonObject {
  const more = [
    'images',
    'videos',
    'audio',
    'objects',
    'label',
    'tools',
    'chosen',
    'rejected_messages',
    'scores',
    'completions',
  ];
  const columns = [...names, ...more];
  const members = Array.from({ length: 1 + random.below(4) }, () => [
    columns[random.below(columns.length)],
    randomJson(random, 3),
  ]);
  return Object.fromEntries(members) as JsonObject;
}

/** Rows of every kind, changed in a few places; and rows of known columns with anything in them. */
function* manyRows({ seed, rows }: ManyRows): Generator<JsonObject> {
  for (let index = 0; index < rows; index++) {
    const random = randomStream(streamKey(seed, index));
    const changed = changedRow(random);
    if (isObject(changed)) yield changed;
    yield randomRow(random);
  }
}

/**
 * Reads every row in every format: it becomes a sample that keeps to its schema, or is told why not; nothing is thrown.
 * @returns how many readings were kept, refused and not tried.
 * @throws at the first row for which that does not hold.
 */
export function checkReading(request: ManyRows): { kept: number; refused: number; unread: number } {
  const seen = { kept: 0, refused: 0, unread: 0 };
  for (const row of manyRows(request))
    for (const format of formats) {
      const { content, issues } = read(row, format);
      const error = content ? sample.safeParse(asSample(content)).error : undefined;
      if (error) throw new Error(`${format.name} ${JSON.stringify(row)}: ${error.message}`);
      if (!content && issues.length === 0) throw new Error(`${format.name} ${JSON.stringify(row)}: no reason`);
      if (format.readings(row).length === 0) seen.unread++;
      else if (content) seen.kept++;
      else seen.refused++;
    }
  return seen;
}

/** A sample written as a row of messages. */
function messagesRow(content: RowContent): JsonObject {
  const { messages, rejected, rejectedFrom, rejectedTools, positives, negatives, variables, extra, plain, ...rest } =
    content;
  const whole = [
    ...messages.slice(0, rejectedFrom ?? messages.findLastIndex(({ role }) => role === 'user') + 1),
    ...(rejected ?? []),
  ];
  const row = {
    ...extra,
    ...rest,
    messages,
    ...(rejected && { rejected_messages: whole }),
    ...(rejectedTools && { rejected_tools: rejectedTools }),
    ...(positives && { positive_messages: positives }),
    ...(negatives && { negative_messages: negatives }),
    ...(variables && { chat_template_kwargs: variables }),
  };
  return row as unknown as JsonObject;
}

/**
 * Every sample, written as a row of messages, is read as the same sample.
 * @returns how many were compared.
 * @throws at the first that is not.
 */
export function checkRoundTrip(request: ManyRows): number {
  const [messages] = formats;
  let compared = 0;
  for (const row of manyRows(request)) {
    const [first] = readingsOf(row);
    const { content } = first ? read(row, first.format) : {};
    // Ranked answers stand in a row of messages without the best one, and a column named messages in no other row.
    if (!messages || !content || content.ranked || content.extra?.messages !== undefined) continue;
    const { terms: _, ...before } = content;
    const again = read(messagesRow(before), messages);
    const { terms: __ = null, ...after } = again.content ?? {};
    if (!isDeepStrictEqual(after, before))
      throw new Error(`${JSON.stringify(row)}: ${JSON.stringify({ before, after, issues: again.issues })}`);
    compared++;
  }
  return compared;
}
