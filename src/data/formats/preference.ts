import { nearestName } from '../../core/nearest.ts';
import type { RowNotes } from '../row-notes.ts';
import { isObject, type JsonObject } from '../strict-json.ts';
import { readTranscript } from '../transcript.ts';
import { hasDocuments } from './embedding.ts';
import { isTurnsText, present, type RowFormat } from './format.ts';
import { questions } from './query.ts';

/**
 * Two answers and no question beside them: both are whole conversations, as lists of messages or transcripts. `answers.ts`
 * reads the two; there is nothing to read before.
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
              reportMissing(row, notes);
              return { messages: [] };
            },
          },
        ]
      : [],
};

/** Answers without a question: what they are better and worse at, nothing says. */
function reportMissing(row: JsonObject, notes: RowNotes): void {
  const { chosen, rejected } = row;
  const turns = Array.isArray(chosen) ? chosen : [chosen];
  const asks = turns.some((turn) => isObject(turn) && ['user', 'human'].includes(String(turn.role ?? turn.from)));
  if (asks || (typeof chosen === 'string' && !(isText(chosen) && isText(rejected)))) return;
  const meant = Object.keys(row).find((column) => nearestName(column, questions) !== undefined);
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

/** Whether it is neither turns nor a transcript, which may have the question in them. */
const isText = (value: unknown): boolean =>
  typeof value === 'string' && !isTurnsText(value) && readTranscript(value) === null;
