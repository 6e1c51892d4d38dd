import type { Message } from '../../schema/sample.ts';
import { hasAnswers, isRanked } from '../answers.ts';
import type { RowNotes } from '../row-notes.ts';
import { isNothing, type JsonObject } from '../strict-json.ts';
import { readTranscript } from '../transcript.ts';
import { isAlpaca, readHistory } from './conversations.ts';
import { hasDocuments } from './embedding.ts';
import { isTurnsText, present, type Reading, type RowFormat, readText, readTurnsOf } from './format.ts';

/** What a question may stand under, as ms-swift has it. */
export const questions = ['query', 'prompt', 'input', 'instruction', 'question', 'problem'];
const answers = ['response', 'completion', 'answer', 'output'];
/** Names that mean an answer only where nothing better does. */
const laxAnswers = ['targets', 'target', 'answer_key', 'answers', 'solution', 'text', 'content'];

/**
 * A question and its answer in columns of their own: query/response, prompt/completion, question/answer and kin; a prompt
 * may be a list of messages, and then a completion is one too. `query` and `response`, the names to rename to, need no
 * rival; of any other two names, a person must say which is meant.
 */
export const query: RowFormat = {
  name: 'query',
  needs: '"query" and "response" (or prompt and completion, question and answer ...; and "history")',
  columns: [...questions, ...answers, ...laxAnswers, 'history'],
  readings(row) {
    if (hasDocuments(row)) return [];
    const names = columnNames(row);
    const asked = candidates(questions, names, { row, decided: 'query' });
    // An answer beside alpaca's own: which of the two is meant, a person must say.
    if (asked.length === 0 && isAlpaca(row))
      return candidates(answers, names, { row, decided: 'response' })
        .filter((answer) => !isNothing(row[answer]) && row[answer] !== row.output)
        .map((answer) => reading(row, { question: 'instruction', answer, weak: false }));
    return asked.flatMap((question) => {
      const isList = Array.isArray(row[question]) || isTurnsText(row[question]);
      const known = isList ? answers.slice(0, 2) : answers;
      const strong = candidates(known, names, { row, decided: 'response' });
      const lax = isList ? [] : candidates(laxAnswers, names, { row }).slice(0, 1);
      const judged = hasAnswers(row);
      const given = strong.length > 0 ? strong : judged ? [] : lax;
      if (given.length === 0) return [reading(row, { question, weak: !judged && row.history === undefined })];
      return given.map((answer) => reading(row, { question, answer, weak: strong.length === 0 }));
    });
  },
};

/** Columns by their names in lower case: `Question` is a question too. */
function columnNames(row: JsonObject): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const column of Object.keys(row)) {
    const name = column.toLowerCase();
    if (!names.has(name) || name === column) names.set(name, column);
  }
  return names;
}

interface Candidates {
  readonly row: JsonObject;
  /** The name that wins over all others. */
  readonly decided?: string;
}

function candidates(
  wanted: readonly string[],
  ...[names, { row, decided }]: [ReadonlyMap<string, string>, Candidates]
) {
  const elsewhere = isAlpaca(row) ? ['instruction', 'input', 'output'] : [];
  const found = wanted.flatMap((name) => {
    const column = names.get(name);
    if (column === undefined || elsewhere.includes(name) || !present(row, column) || isRanked(row, column)) return [];
    return [column];
  });
  const best = found.find((column) => column === decided);
  if (best !== undefined) return [best];
  // The same text under two names is no question of which is meant.
  return found.filter((column, index) => found.findIndex((other) => row[other] === row[column]) === index);
}

function reading(
  row: JsonObject,
  { question, answer, weak }: { readonly question: string; readonly answer?: string; readonly weak: boolean },
): Reading {
  return {
    column: answer ?? question,
    // A solution is kept for scorers, whether or not it is the answer too.
    columns: { [question]: 'query', ...(answer && { [answer]: 'response' }), history: 'history' },
    ...(weak && { weak }),
    read(notes) {
      const asked = readQuestion(row, question, notes);
      return { messages: answer === undefined ? asked : [...asked, ...readResponse(row, answer, notes)] };
    },
  };
}

function readQuestion(row: JsonObject, column: string, notes: RowNotes): Message[] {
  const value = row[column];
  if (Array.isArray(value) || isTurnsText(value)) return readTurnsOf(row, column, notes);
  const text = readText(row, column, notes);
  return readTranscript(text) ?? [...readHistory(row, notes), { role: 'user', content: text }];
}

function readResponse(row: JsonObject, column: string, notes: RowNotes): Message[] {
  const value = row[column];
  if (isTurnsText(value)) return readTurnsOf(row, column, notes);
  if (!Array.isArray(value)) return [{ role: 'assistant', content: readText(row, column, notes) }];
  if (!value.every((item) => typeof item === 'string')) return readTurnsOf(row, column, notes);
  // Several answers that are as good: a run must not depend on chance, so it is the first.
  if (value.length > 1) notes.changes.push(`${column}: the first of ${value.length} answers is taken`);
  return [{ role: 'assistant', content: value[0] ?? '' }];
}
