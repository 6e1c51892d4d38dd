import type { Json } from '../schema/common.ts';
import type { Message, Sample } from '../schema/sample.ts';
import { mediaColumns, placeMedia, readMedia } from './media.ts';
import { type RowNotes, shown } from './row-notes.ts';
import { isObject, type JsonObject, readStrictJson } from './strict-json.ts';
import { readTurns } from './turns.ts';

/** ms-swift's `positive_messages` and `negative_messages`: lists of conversations, a document each. */
export function readDocumentColumns(row: JsonObject, notes: RowNotes): Pick<Sample, 'positives' | 'negatives'> {
  const positives = readSide(row, 'positive', notes);
  const negatives = readSide(row, 'negative', notes);
  return {
    ...(positives.length > 0 && { positives }),
    ...(negatives.length > 0 && { negatives }),
  };
}

function readSide(row: JsonObject, side: 'positive' | 'negative', notes: RowNotes): Message[][] {
  const column = `${side}_messages`;
  const given = row[column];
  if (given === undefined || given === null || given === '') return [];
  const value = typeof given === 'string' ? readStrictJson(given, notes, [column]) : given;
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    notes.problem({
      code: 'wrong-type',
      path: [column],
      message: `found ${shown(given)}.`,
      expected: 'a list of lists of messages, a document each',
    });
    return [];
  }
  const documents: readonly Json[] = value.some(isObject) ? [value] : value;
  return documents.map((turns, index) => {
    const path = documents === value ? [column, index] : [column];
    const media = readMedia(mediaOf(row, { side, index, count: documents.length, notes }), notes, `${side}_`);
    return placeMedia(readTurns(turns, path, notes), media, notes);
  });
}

interface DocumentPlace {
  readonly side: string;
  readonly index: number;
  readonly count: number;
  readonly notes: RowNotes;
}

/** The media of one document: of a list of lists, its own; of a plain list, all for one document, or one for each. */
function mediaOf(row: JsonObject, { side, index, count, notes }: DocumentPlace): JsonObject {
  const own: JsonObject = {};
  for (const column of mediaColumns(`${side}_`)) {
    const value = row[column] ?? null;
    const items = Array.isArray(value) ? value : value === null || value === '' ? [] : [value];
    const isNested = items.some((item) => Array.isArray(item) || item === null);
    if (items.length === 0) continue;
    if (!isNested && count === 1) own[column] = items;
    else if (items.length === count) own[column] = items[index] ?? null;
    else if (index === 0)
      notes.problem({
        code: 'counts-differ',
        path: [column],
        message: `${count} ${side}_messages and ${items.length} ${column}.`,
        fix: 'Give a list for each.',
      });
  }
  return own;
}
