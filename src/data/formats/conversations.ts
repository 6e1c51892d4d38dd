import type { Message } from '../../schema/sample.ts';
import { hasAnswers } from '../answers.ts';
import { type RowNotes, shown } from '../row-notes.ts';
import { type JsonObject, readStrictJson } from '../strict-json.ts';
import { present, presentIn, type Reading, type RowFormat, readText, readTurnsOf } from './format.ts';

/** A conversation in which only the assistant speaks is a text to be learned as it stands. */
const plainIfAlone = (messages: Message[]) => ({
  messages,
  ...(messages.length > 0 &&
    messages.every(({ role, tool_calls }) => role === 'assistant' && !tool_calls) && { plain: true as const }),
});

const turnsIn = (row: JsonObject, column: string): Reading => ({
  column,
  columns: { [column]: 'messages' },
  read: (notes) => plainIfAlone(readTurnsOf(row, column, notes)),
});

export const messages: RowFormat = {
  name: 'messages',
  needs: '"messages", a list of {"role", "content"}',
  columns: ['messages'],
  readings: (row) => presentIn(row, ['messages']).map((column) => turnsIn(row, column)),
};

export const sharegpt: RowFormat = {
  name: 'sharegpt',
  needs: '"conversations", a list of {"from", "value"} or of {"human", "assistant"}',
  columns: ['conversations', 'conversation'],
  readings: (row) => presentIn(row, ['conversations', 'conversation']).map((column) => turnsIn(row, column)),
};

export const isAlpaca = (row: JsonObject): boolean =>
  present(row, 'instruction') && (present(row, 'output') || present(row, 'input'));

/** The question is the instruction and, on a new line, its input; `history` holds earlier [question, answer] pairs. */
export const alpaca: RowFormat = {
  name: 'alpaca',
  needs: '"instruction" and "output" (and "input", "history")',
  columns: ['instruction', 'input', 'output', 'history'],
  readings: (row) => (isAlpaca(row) ? [alpacaReading(row)] : []),
};

function alpacaReading(row: JsonObject): Reading {
  const answered = present(row, 'output');
  return {
    column: answered ? 'output' : 'instruction',
    columns: { instruction: 'query', input: 'query', output: 'response', history: 'history' },
    read(notes) {
      const instruction = readText(row, 'instruction', notes);
      const input = present(row, 'input') ? readText(row, 'input', notes) : '';
      const question = input === '' ? instruction : `${instruction}\n${input}`;
      const asked: Message[] = [...readHistory(row, notes), { role: 'user', content: question }];
      // Without an output, the answer must be judged elsewhere in the row, or it was forgotten.
      if (!answered && hasAnswers(row)) return { messages: asked };
      return { messages: [...asked, { role: 'assistant', content: readText(row, 'output', notes) }] };
    },
  };
}

/** Earlier [question, answer] pairs, or the JSON of them. */
export function readHistory(row: JsonObject, notes: RowNotes): Message[] {
  const given = row.history ?? [];
  const isText = typeof given === 'string' && given.trim() !== '';
  const history = isText ? (readStrictJson(given, notes, ['history']) ?? []) : given;
  const pairs = Array.isArray(history) ? history : history === '' ? [] : [history];
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
