import type { Json } from '../schema/common.ts';
import type { Message, RankedAnswer } from '../schema/sample.ts';
import { type RowNotes, shown } from './row-notes.ts';
import { isObject, type JsonObject } from './strict-json.ts';
import { readTurns } from './turns.ts';

const lists = ['responses', 'completions', 'candidates', 'answers'];
const scoreColumns = ['scores', 'score', 'rewards', 'ratings'];
const rankColumns = ['ranks', 'rank', 'ranking'];
/** All columns that ranked answers may stand in. */
export const rankedNames: readonly string[] = [...lists, ...scoreColumns, ...rankColumns];
const textKeys = ['response', 'completion', 'answer', 'text', 'content', 'output'];
const scoreKeys = ['score', 'reward', 'rating', 'overall_score'];

/** Whether a column holds several answers that something says the worth of. */
export function isRanked(row: JsonObject, column: string): boolean {
  const value = row[column];
  if (!lists.includes(column) || !Array.isArray(value) || value.length === 0) return false;
  if ([...scoreColumns, ...rankColumns].some((name) => Array.isArray(row[name]))) return true;
  return value.every((item) => isObject(item) && (scoreKeys.some((key) => key in item) || 'rank' in item));
}

export const rankedColumn = (row: JsonObject): string | undefined => lists.find((column) => isRanked(row, column));

/** All columns that a ranked list takes up. */
export function rankedColumns(row: JsonObject): readonly string[] {
  const column = rankedColumn(row);
  const judged = [...scoreColumns, ...rankColumns].filter((name) => Array.isArray(row[name]));
  return column === undefined ? [] : [column, ...judged];
}

/** The answers with their scores or ranks, in the order they stand. */
export function readRanked(row: JsonObject, column: string, notes: RowNotes): RankedAnswer[] {
  const items = row[column];
  if (!Array.isArray(items)) return [];
  const judgements = (names: readonly string[]): readonly Json[] | undefined => {
    const name = names.find((known) => Array.isArray(row[known]));
    const values = name === undefined ? undefined : row[name];
    if (name === undefined || !Array.isArray(values) || values.length === items.length)
      return values as Json[] | undefined;
    notes.problem({
      code: 'counts-differ',
      path: [name],
      message: `${items.length} ${column} and ${values.length} ${name}.`,
      fix: 'Give one for each.',
    });
    return undefined;
  };
  const scores = judgements(scoreColumns);
  const ranks = judgements(rankColumns);
  return items.flatMap((item, index): RankedAnswer[] => {
    const path = [column, index];
    const score = scores?.[index] ?? (isObject(item) ? valueUnder(item, scoreKeys) : undefined);
    const rank = ranks?.[index] ?? (isObject(item) ? item.rank : undefined);
    const messages = readItem(item, path, notes);
    const isJudged = typeof score === 'number' || typeof rank === 'number';
    if (!isJudged || (rank !== undefined && rank !== null && !Number.isInteger(rank)))
      notes.problem({
        code: 'judgement-missing',
        path,
        message: `the answer has no score or rank that is a number: ${shown(score ?? rank)}.`,
        fix: 'Give every answer a score (the more the better), or a rank (1 is the best).',
      });
    return [
      {
        messages,
        ...(typeof score === 'number' && { score }),
        ...(typeof rank === 'number' && { rank }),
      },
    ];
  });
}

const valueUnder = (item: JsonObject, keys: readonly string[]): Json | undefined => {
  const key = keys.find((known) => item[known] !== undefined && item[known] !== null);
  return key === undefined ? undefined : item[key];
};

function readItem(item: Json, path: readonly (string | number)[], notes: RowNotes): Message[] {
  if (Array.isArray(item)) return readTurns(item, path, notes);
  if (isObject(item) && ('role' in item || 'from' in item)) return readTurns([item], path, notes);
  const text = isObject(item) ? valueUnder(item, textKeys) : item;
  if (Array.isArray(text)) return readTurns(text, path, notes);
  if (typeof text === 'string' && text.trim() !== '') return [{ role: 'assistant', content: text }];
  notes.problem({
    code: text === '' ? 'empty-answer' : 'wrong-type',
    path,
    message: `found ${shown(item)}.`,
    expected: 'an answer: a text, messages, or an object that holds one of them and its score',
  });
  return [];
}

/** The answer with the best score or, where there are no scores, the best rank; of equals the first. */
export function bestOf(ranked: readonly RankedAnswer[]): RankedAnswer | undefined {
  const worth = ({ score, rank }: RankedAnswer): number => score ?? -(rank ?? Number.POSITIVE_INFINITY);
  return ranked.reduce<RankedAnswer | undefined>(
    (best, answer) => (best === undefined || worth(answer) > worth(best) ? answer : best),
    undefined,
  );
}
