import { nearestName } from '../../core/nearest.ts';
import type { RowNotes } from '../row-notes.ts';
import { isObject, type JsonObject } from '../strict-json.ts';
import { readTranscript } from '../transcript.ts';
import { hasDocuments } from './embedding.ts';
import { isTurnsText, present, type RowFormat } from './format.ts';
import { questions } from './query.ts';

/**
 * Two answers and no question beside them: both are whole conversations (lists of messages, or transcripts), or plain texts
 * of which one is better. `answers.ts` reads the two; there is nothing to read before.
 */
export const preference: RowFormat = {
  name: 'preference',
  needs: '"chosen" and "rejected", each with the question they answer',
  columns: ['chosen', 'rejected'],
  readings: (row) =>
    present(row, 'chosen') && present(row, 'rejected') && !hasDocuments(row)
      ? [
          {
            column: 'chosen',
            columns: { chosen: 'chosen', rejected: 'rejected' },
            weak: true,
            read(notes) {
              const isPlain = isPlainPair(row);
              reportMissing(row, isPlain, notes);
              return { messages: [], ...(isPlain && { plain: true as const }) };
            },
          },
        ]
      : [],
};

/** Answers without a question; for plain texts only where a column looks like one that was misspelt. */
function reportMissing(row: JsonObject, isPlain: boolean, notes: RowNotes): void {
  const meant = Object.keys(row).find((column) => nearestName(column, questions) !== undefined);
  const { chosen } = row;
  const turns = Array.isArray(chosen) ? chosen : [chosen];
  const asks = turns.some((turn) => isObject(turn) && ['user', 'human'].includes(String(turn.role ?? turn.from)));
  if (asks || (isPlain && meant === undefined) || (!isPlain && typeof chosen === 'string')) return;
  notes.problem({
    code: 'prompt-missing',
    path: ['chosen'],
    message: 'the question that it answers is not in the row.',
    fix:
      meant === undefined
        ? 'Write it as prompt, or as the first turn of both.'
        : `Is it ${meant}? Then set data.sources[].columns: { ${meant}: query }.`,
  });
}

function isPlainPair({ chosen, rejected }: JsonObject): boolean {
  const isPlain = (value: unknown): boolean =>
    typeof value === 'string' && !isTurnsText(value) && readTranscript(value) === null;
  return isPlain(chosen) && isPlain(rejected);
}
