import type { JsonObject } from '../strict-json.ts';
import { readTranscript } from '../transcript.ts';
import { hasDocuments } from './embedding.ts';
import { isTurnsText, present, type RowFormat } from './format.ts';

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
            read: () => ({ messages: [], ...(isPlainPair(row) && { plain: true as const }) }),
          },
        ]
      : [],
};

function isPlainPair({ chosen, rejected }: JsonObject): boolean {
  const isPlain = (value: unknown): boolean =>
    typeof value === 'string' && !isTurnsText(value) && readTranscript(value) === null;
  return isPlain(chosen) && isPlain(rejected);
}
