import type { Json } from '../../schema/common.ts';
import type { Message, RankedAnswer } from '../../schema/sample.ts';
import { type RowNotes, shown } from '../row-notes.ts';
import type { JsonObject } from '../strict-json.ts';
import { present, presentIn, type Reading, type RowFormat, readText } from './format.ts';

const anchors = ['anchor', 'query', 'question', 'sentence1', 'sentence'];
const positives = ['positive', 'positives', 'pos', 'sentence2'];
const negatives = ['negative', 'negatives', 'neg'];
const listed = ['documents', 'docs', 'passages'];
const numbered = /^negative_[0-9]+$/;

/** Whether texts stand beside the question that are like it or unlike it, and no answers to it. */
export function hasDocuments(row: JsonObject): boolean {
  if (presentIn(row, [...positives, ...negatives]).length > 0) return presentIn(row, anchors).length > 0;
  return Object.keys(row).some((column) => numbered.test(column)) || hasGraded(row);
}

const hasGraded = (row: JsonObject): boolean =>
  presentIn(row, listed).some((column) => Array.isArray(row[column])) && Array.isArray(row.labels ?? row.scores);

/** A text and others that are like or unlike it; for a reranker, a question and documents that answer it or do not. */
export const embedding: RowFormat = {
  name: 'embedding',
  needs: '"anchor" (or query, sentence1) with "positive", "negative" or "documents" and "labels"',
  columns: [...anchors, ...positives, ...negatives, ...listed, 'labels', 'scores', 'score'],
  readings(row) {
    const [anchor] = presentIn(row, anchors);
    return anchor !== undefined && hasDocuments(row) ? [reading(row, anchor)] : [];
  },
};

function reading(row: JsonObject, anchor: string): Reading {
  const near = presentIn(row, positives);
  const far = [
    ...presentIn(row, negatives),
    ...Object.keys(row).filter((column) => numbered.test(column) && present(row, column)),
  ];
  const graded = hasGraded(row) ? presentIn(row, listed).slice(0, 1) : [];
  // How alike a pair is.
  const measured = near.length === 1 && typeof row.score === 'number';
  const grades = Array.isArray(row.labels) ? 'labels' : 'scores';
  return {
    column: anchor,
    columns: {
      [anchor]: 'query',
      ...(measured && { score: 'label' }),
      ...Object.fromEntries(near.map((column) => [column, 'positives'])),
      ...Object.fromEntries(far.map((column) => [column, 'negatives'])),
      ...Object.fromEntries(
        graded.flatMap((column) => [
          [column, 'ranked'],
          [grades, 'scores'],
        ]),
      ),
    },
    read(notes) {
      const texts = (columns: readonly string[]) =>
        columns.flatMap((column) => readDocuments(row[column], column, notes));
      const ranked = graded.flatMap((column) => readGraded(row, { column, grades, notes }));
      // A grade of yes or no says what is relevant; a finer one is kept as it is.
      const isBinary = ranked.every(({ score }) => score === 0 || score === 1);
      const positive = [
        ...texts(near),
        ...(isBinary ? ranked.filter(({ score }) => score === 1).map(({ messages }) => messages) : []),
      ];
      const negative = [
        ...texts(far),
        ...(isBinary ? ranked.filter(({ score }) => score === 0).map(({ messages }) => messages) : []),
      ];
      return {
        messages: [{ role: 'user', content: readText(row, anchor, notes) }],
        ...(positive.length > 0 && { positives: positive }),
        ...(negative.length > 0 && { negatives: negative }),
        ...(ranked.length > 0 && !isBinary && { ranked }),
      };
    },
  };
}

/** A text, or a list of texts: a document each. */
function readDocuments(value: Json | undefined, column: string, notes: RowNotes): Message[][] {
  const items = Array.isArray(value) ? value : [value];
  return items.flatMap((item, index): Message[][] => {
    if (typeof item === 'string' && item.trim() !== '') return [[{ role: 'user', content: item }]];
    notes.problem({
      code: item === '' ? 'empty-document' : 'wrong-type',
      path: Array.isArray(value) ? [column, index] : [column],
      message: `found ${shown(item)}.`,
      expected: 'a text that says something',
    });
    return [];
  });
}

function readGraded(
  row: JsonObject,
  { column, grades, notes }: { readonly column: string; readonly grades: string; readonly notes: RowNotes },
): RankedAnswer[] {
  const documents = readDocuments(row[column], column, notes);
  const scores = row[grades];
  if (!Array.isArray(scores) || scores.length !== documents.length) {
    notes.problem({
      code: 'counts-differ',
      path: [grades],
      message: `${documents.length} ${column} and ${Array.isArray(scores) ? scores.length : 0} ${grades}.`,
      fix: 'Give one for each.',
    });
    return [];
  }
  return documents.flatMap((messages, index): RankedAnswer[] => {
    const score = scores[index];
    if (typeof score === 'number' || typeof score === 'boolean') return [{ messages, score: Number(score) }];
    notes.problem({
      code: 'wrong-type',
      path: [grades, index],
      message: `found ${shown(score)}.`,
      expected: 'a number',
    });
    return [];
  });
}
