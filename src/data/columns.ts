import { z } from 'zod';
import { nearestName } from '../core/nearest.ts';
import type { Json } from '../schema/common.ts';
import { type Message, type Provenance, provenance, type Sample } from '../schema/sample.ts';
import { checkConversation } from './conversation.ts';
import type { RowFormat } from './formats.ts';
import { type RowNotes, shown } from './row-notes.ts';
import { isObject, type JsonObject, readStrictJson } from './strict-json.ts';
import { readTurns } from './turns.ts';

/** Columns that mean the same in every format. */
const sharedColumns = ['system', 'chosen', 'rejected', 'label', 'margin', 'solution', 'tools', 'facts', 'martlet'];
const mediaColumns = ['images', 'image', 'videos', 'video', 'audios', 'audio'];

export type RowContent = Omit<Sample, 'id' | 'split' | 'provenance'>;
export type RowTerms = Pick<Provenance, 'by' | 'answer' | 'consent' | 'embargo' | 'licence'>;

/** A whole row in one format: the conversation and every other column. Only of use when no issue was added to `notes`. */
export function readColumns(
  row: JsonObject,
  format: RowFormat,
  notes: RowNotes,
): RowContent & { readonly terms: RowTerms } {
  const column = format.column(row);
  const messages = withSystem(format.read(row, notes), row, notes);
  const chosen = readAnswer(row, 'chosen', notes);
  const rejected = readAnswer(row, 'rejected', notes);
  if (chosen && messages.at(-1)?.role === 'assistant')
    notes.problem({
      code: 'two-answers',
      path: ['chosen'],
      message: `${column} already ends with an answer.`,
      fix: `Leave the answer out of ${column}, or leave out chosen.`,
    });
  const whole = chosen ? [...messages, ...chosen] : messages;
  if (notes.issues.length === 0) {
    checkConversation(whole, { column, notes });
    if (rejected) checkConversation(rejected, { column: 'rejected', notes });
  }
  for (const name of mediaColumns)
    if (!isNothing(row[name]))
      notes.problem({
        code: 'media-column',
        path: [name],
        message: 'media beside the messages are not read.',
        fix: 'Write them as parts of the content: {"type": "image", "image": "<path>"}.',
      });
  const known = new Set([...format.columns, ...sharedColumns]);
  const extra = Object.entries(row).filter(([name]) => !known.has(name));
  const typed = columnReader(row, notes);
  const label = typed('label', 'true, false, a number or a text', isScalar);
  const margin = typed('margin', 'a number', (value) => typeof value === 'number');
  const facts = typed('facts', 'an object', isObject);
  const tools = readTools(row, notes);
  return {
    messages: whole,
    ...(rejected && { rejected }),
    ...(label !== undefined && { label }),
    ...(margin !== undefined && { margin }),
    ...(row.solution !== undefined && row.solution !== null && { solution: row.solution }),
    ...(tools && { tools }),
    ...(facts && { facts }),
    ...(extra.length > 0 && { extra: Object.fromEntries(extra) }),
    terms: readTerms(row.martlet, notes),
  };
}

const isNothing = (value: Json | undefined): boolean =>
  value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0);

const isScalar = (value: Json): value is boolean | number | string =>
  typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string';

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
  const system = row.system;
  if (isNothing(system)) return messages;
  if (typeof system !== 'string')
    notes.problem({ code: 'wrong-type', path: ['system'], message: `found ${shown(system)}.`, expected: 'a text' });
  else if (messages[0]?.role === 'system')
    notes.problem({
      code: 'two-systems',
      path: ['system'],
      message: 'the conversation has a system message already.',
      fix: 'Keep one of the two.',
    });
  else return [{ role: 'system', content: system }, ...messages];
  return messages;
}

/** An answer in a column of its own: a text, or the assistant's turns. */
function readAnswer(row: JsonObject, column: string, notes: RowNotes): Message[] | undefined {
  const value = row[column];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') {
    if (value.trim() === '') notes.problem({ code: 'empty-answer', path: [column], message: 'the answer is empty.' });
    return [{ role: 'assistant', content: value }];
  }
  const turns = readTurns(value, [column], notes);
  if (turns.some((turn) => turn.role !== 'assistant' && turn.role !== 'tool'))
    notes.problem({
      code: 'role-out-of-order',
      path: [column],
      message: "an answer holds turns that are not the assistant's.",
      fix: 'Leave the question in messages alone.',
    });
  return turns;
}

/** A list of tool definitions, or its JSON as text (columnar stores cannot hold it otherwise). */
function readTools(row: JsonObject, notes: RowNotes): JsonObject[] | undefined {
  const isText = typeof row.tools === 'string' && row.tools.trim() !== '';
  const value = isText ? readStrictJson(String(row.tools), notes, ['tools']) : row.tools;
  if (isNothing(value)) return undefined;
  if (Array.isArray(value) && value.every(isObject)) return value;
  notes.problem({
    code: 'wrong-type',
    path: ['tools'],
    message: `found ${shown(row.tools)}.`,
    expected: 'a list of tool definitions, or its JSON',
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
