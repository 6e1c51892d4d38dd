import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { nearestName } from '../core/nearest.ts';
import type { Json } from '../schema/common.ts';
import { type Message, type Provenance, provenance, type Sample } from '../schema/sample.ts';
import { answerColumns, hasSteps, withAnswers } from './answers.ts';
import { withoutPaddedArguments } from './arrow-padding.ts';
import { joinedText } from './blocks.ts';
import { readPart } from './content.ts';
import { checkConversation } from './conversation.ts';
import { readDocumentColumns } from './documents.ts';
import { isTurnsText } from './formats/format.ts';
import type { Reading } from './formats.ts';
import { mediaColumns } from './media.ts';
import { readObjects } from './objects.ts';
import { type RowNotes, shown } from './row-notes.ts';
import { isNothing, isObject, type JsonObject, readStrictJson } from './strict-json.ts';
import { readTools } from './tools.ts';

/** Columns that mean the same in every format. */
export const sharedColumns = [
  ...['system', 'system_prompt', 'label', 'margin', 'solution', 'tools', 'rejected_tools', 'facts', 'objects'],
  ...['chat_template_kwargs', 'martlet', 'positive_messages', 'negative_messages'],
];

export type RowContent = Omit<Sample, 'id' | 'split' | 'provenance'>;
export type RowTerms = Pick<Provenance, 'by' | 'answer' | 'consent' | 'embargo' | 'licence'>;

/** A whole row in one reading: the conversation and every other column. Only of use when no issue was added to `notes`. */
export function readColumns(
  row: JsonObject,
  reading: Reading,
  notes: RowNotes,
): RowContent & { readonly terms: RowTerms } {
  const { column } = reading;
  const { messages: said, plain, ...conversation } = reading.read(notes);
  const answers = withAnswers(withSystem(said, row, notes), row, { column, notes });
  const typed = columnReader(row, notes);
  const { messages, rejected, rejectedFrom } = answers;
  // An answer in a column of its own may have brought the question with it.
  const isPlain = plain && messages.every(({ role }) => role === 'assistant');
  if (notes.issues.length === 0) {
    const isText = typeof row[column] === 'string' && !isTurnsText(row[column]);
    checkConversation(messages, { column, notes, isText, inSteps: hasSteps(row) });
    if (rejected && !isPlain) {
      const from = rejectedFrom ?? messages.findLastIndex(({ role }) => role === 'user') + 1;
      checkConversation([...messages.slice(0, from), ...rejected], { column: 'rejected', notes, from });
    }
  }
  const label = typed(labelColumn(row, reading), labelExpected, isLabel);
  const margin = typed('margin', 'a number', (value) => typeof value === 'number');
  const facts = typed('facts', 'an object', isObject);
  const variables = readVariables(row, notes);
  const tools = readTools(row, 'tools', notes);
  const rejectedTools = rejected && readTools(row, 'rejected_tools', notes);
  const objects = readObjects(row, [...messages, ...(rejected ?? [])], notes);
  const isTaken = takenColumns(row, reading);
  const extra = Object.entries(row).filter(([name]) => !isTaken(name));
  return {
    ...conversation,
    ...answers,
    messages: withoutPaddedArguments(messages, tools, notes),
    ...(rejected && { rejected: withoutPaddedArguments(rejected, rejectedTools ?? tools, notes) }),
    ...(isPlain && { plain }),
    ...readDocumentColumns(row, notes),
    ...(label !== undefined && { label }),
    ...(margin !== undefined && { margin }),
    ...(row.solution !== undefined && row.solution !== null && { solution: row.solution }),
    ...(tools && { tools }),
    ...(rejectedTools && { rejectedTools }),
    ...(objects && { objects }),
    ...(facts && { facts }),
    ...(variables && { variables }),
    ...(extra.length > 0 && { extra: Object.fromEntries(extra) }),
    terms: readTerms(row.martlet, notes),
  };
}

const shared = new Set(sharedColumns);
/** Columns of media, beside any of the conversations of a row. */
export const mediaNames = ['', 'rejected_', 'positive_', 'negative_'].flatMap((prefix) => mediaColumns(prefix));
const media = new Set(mediaNames);

/** Tells of a column whether something is read from it, or would be if it said something. */
export function takenColumns(row: JsonObject, { columns }: Pick<Reading, 'columns'>): (name: string) => boolean {
  const answers = answerColumns(row);
  return (name) =>
    Object.hasOwn(columns, name) ||
    shared.has(name) ||
    answers.includes(name) ||
    (media.has(name) && !isNothing(row[name]));
}

/** The column that judges: `label`, or what the format says does. */
function labelColumn(row: JsonObject, { columns }: Reading): string {
  if (!isNothing(row.label)) return 'label';
  if (hasSteps(row)) return 'labels';
  return Object.keys(columns).find((column) => columns[column] === 'label' && !isNothing(row[column])) ?? 'label';
}

type Label = NonNullable<Sample['label']>;
const labelExpected = 'true, false, a number, a text, or a list of them';

const isScalar = (value: Json): value is boolean | number | string =>
  typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string';
const isLabel = (value: Json): value is Label => (Array.isArray(value) ? value.every(isScalar) : isScalar(value));

function columnReader(row: JsonObject, notes: RowNotes) {
  return <T extends Json>(column: string, expected: string, is: (value: Json) => value is T): T | undefined => {
    const value = row[column] ?? undefined;
    if (value === undefined || is(value)) return value;
    notes.problem({
      code: 'wrong-type',
      path: [column],
      message: `found ${shown(value)}.`,
      expected,
      fix: 'Rename the column if it means something else.',
    });
    return undefined;
  };
}

function withSystem(messages: Message[], row: JsonObject, notes: RowNotes): Message[] {
  const column = ['system', 'system_prompt'].find((name) => !isNothing(row[name]));
  if (column === undefined) return messages;
  const system = readSystem(row[column], column, notes);
  if (system === null) return messages;
  if (messages[0]?.role === 'system') {
    if (isDeepStrictEqual(messages[0].content, system)) return messages;
    notes.problem({
      code: 'two-systems',
      path: [column],
      message: 'the conversation has a system message already.',
      fix: 'Keep one of the two.',
    });
  } else return [{ role: 'system', content: system }, ...messages];
  return messages;
}

/** A text, or Anthropic's list of text blocks. Null with the reason in `notes`. */
function readSystem(value: Json | undefined, column: string, notes: RowNotes): Message['content'] {
  if (typeof value === 'string') return value;
  const blocks = Array.isArray(value) ? joinedText(value) : value;
  if (typeof blocks === 'string') return blocks;
  if (!Array.isArray(blocks)) {
    notes.problem({ code: 'wrong-type', path: [column], message: `found ${shown(value)}.`, expected: 'a text' });
    return null;
  }
  const parts = blocks.map((part, index) => readPart(part, [column, index], notes));
  return parts.every((part) => part !== null) ? parts : null;
}

/** `chat_template_kwargs`: more names for the chat template, for this row alone. */
function readVariables(row: JsonObject, notes: RowNotes): JsonObject | undefined {
  const given = row.chat_template_kwargs;
  if (isNothing(given)) return undefined;
  const found = notes.issues.length;
  const value = typeof given === 'string' ? readStrictJson(given, notes, ['chat_template_kwargs']) : given;
  if (isObject(value)) return value;
  if (notes.issues.length === found)
    notes.problem({
      code: 'wrong-type',
      path: ['chat_template_kwargs'],
      message: `found ${shown(given)}.`,
      expected: 'an object',
    });
  return undefined;
}

const terms = z.strictObject({
  by: provenance.shape.by,
  answer: provenance.shape.answer,
  consent: provenance.shape.consent,
  embargo: provenance.shape.embargo,
  licence: provenance.shape.licence,
});

/** The `martlet` column: on what terms the row may be used. */
function readTerms(value: Json | undefined, notes: RowNotes): RowTerms {
  if (value === undefined || value === null) return {};
  const given = isObject(value)
    ? Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null))
    : value;
  const result = terms.safeParse(given);
  if (result.success) {
    const set = Object.entries(result.data).filter(([, member]) => member !== undefined);
    return Object.fromEntries(set) as RowTerms;
  }
  for (const issue of result.error.issues) {
    const unknown = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
    const near = unknown === undefined ? undefined : nearestName(unknown, Object.keys(terms.shape));
    notes.problem({
      code: unknown === undefined ? 'wrong-type' : 'unknown-key',
      path: ['martlet', ...issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key))],
      message: unknown === undefined ? `${issue.message}.` : `the key ${shown(unknown)} is not known.`,
      fix: near && `Did you mean ${near}?`,
    });
  }
  return {};
}
