import type { sourceFormats } from '../schema/recipe.ts';
import type { Message } from '../schema/sample.ts';
import { type RowNotes, shown } from './row-notes.ts';
import type { JsonObject } from './strict-json.ts';
import { readTurns } from './turns.ts';

export type FormatName = Exclude<(typeof sourceFormats)[number], 'auto'>;

/** One way rows are written: which columns hold the conversation, and how it is read from them. */
export interface RowFormat {
  readonly name: FormatName;
  /** What a row needs, for people. */
  readonly needs: string;
  /** The columns it reads; the others are read alike for all formats. */
  readonly columns: readonly string[];
  /** Whether the row could be meant so. */
  recognises(row: JsonObject): boolean;
  /** The column the conversation stands in, for the messages of issues. */
  column(row: JsonObject): string;
  read(row: JsonObject, notes: RowNotes): Message[];
}

const present = (row: JsonObject, column: string): boolean => row[column] !== undefined && row[column] !== null;

const messages: RowFormat = {
  name: 'messages',
  needs: '"messages", a list of {"role", "content"}',
  columns: ['messages'],
  recognises: (row) => present(row, 'messages'),
  column: () => 'messages',
  read: (row, notes) => readTurns(row.messages, ['messages'], notes),
};

const conversationColumn = (row: JsonObject): string =>
  present(row, 'conversations') ? 'conversations' : 'conversation';

const sharegpt: RowFormat = {
  name: 'sharegpt',
  needs: '"conversations", a list of {"from", "value"}',
  columns: ['conversations', 'conversation'],
  recognises: (row) => present(row, conversationColumn(row)),
  column: conversationColumn,
  read(row, notes) {
    const column = conversationColumn(row);
    return readTurns(row[column], [column], notes);
  },
};

/** The question is the instruction and, on a new line, its input; `history` holds earlier [question, answer] pairs. */
const alpaca: RowFormat = {
  name: 'alpaca',
  needs: '"instruction" and "output" (and "input", "history")',
  columns: ['instruction', 'input', 'output', 'history'],
  recognises: (row) => present(row, 'instruction') && (present(row, 'output') || present(row, 'input')),
  column: () => 'output',
  read(row, notes) {
    const text = (column: string, needed: boolean): string => {
      const value = row[column] ?? (needed ? undefined : '');
      if (typeof value === 'string') return value;
      notes.problem({ code: 'wrong-type', path: [column], message: `found ${shown(value)}.`, expected: 'a text' });
      return '';
    };
    const instruction = text('instruction', true);
    const input = text('input', false);
    return [
      ...readHistory(row, notes),
      { role: 'user', content: input === '' ? instruction : `${instruction}\n${input}` },
      { role: 'assistant', content: text('output', true) },
    ];
  },
};

function readHistory(row: JsonObject, notes: RowNotes): Message[] {
  const history = row.history ?? [];
  const pairs = Array.isArray(history) ? history : [history];
  return pairs.flatMap((pair, index): Message[] => {
    const [question, answer] = Array.isArray(pair) ? pair : [];
    if (Array.isArray(pair) && pair.length === 2 && typeof question === 'string' && typeof answer === 'string')
      return [
        { role: 'user', content: question },
        { role: 'assistant', content: answer },
      ];
    notes.problem({
      code: 'wrong-type',
      path: ['history', index],
      message: `found ${shown(pair)}.`,
      expected: 'a pair of texts: [question, answer]',
    });
    return [];
  });
}

export const formats: readonly RowFormat[] = [messages, sharegpt, alpaca];

export const recognisedFormats = (row: JsonObject): readonly RowFormat[] =>
  formats.filter((format) => format.recognises(row));
