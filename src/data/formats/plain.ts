import type { Message } from '../../schema/sample.ts';
import { hasAnswers } from '../answers.ts';
import type { JsonObject } from '../strict-json.ts';
import { present, presentIn, type RowFormat, readText } from './format.ts';

const texts = ['text', 'content', 'response'];

/** Text as it stands: pre-training. */
export const text: RowFormat = {
  name: 'text',
  needs: '"text" (or "content"), learned as it stands',
  columns: texts,
  readings: (row) =>
    (hasAnswers(row) ? [] : presentIn(row, texts)).slice(0, 1).map((column) => ({
      column,
      columns: { [column]: 'text' },
      weak: true,
      read: (notes) => ({ messages: [{ role: 'assistant', content: readText(row, column, notes) }], plain: true }),
    })),
};

const labelled = ['text', 'sentence'];
const isLabelled = (row: JsonObject): boolean => present(row, 'label') || present(row, 'labels');

/** A text and its class, classes or measure. */
export const classification: RowFormat = {
  name: 'classification',
  needs: '"text" and "label"',
  columns: [...labelled, 'label', 'labels'],
  readings: (row) =>
    isLabelled(row) && !hasAnswers(row)
      ? presentIn(row, labelled)
          .slice(0, 1)
          .map((column) => ({
            column,
            columns: { [column]: 'query', labels: 'label' },
            weak: true,
            read: (notes) => ({
              messages: [{ role: 'user', content: readText(row, column, notes) } satisfies Message],
            }),
          }))
      : [],
};
