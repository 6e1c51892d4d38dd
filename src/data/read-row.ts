import { nearestName } from '../core/nearest.ts';
import type { Message } from '../schema/sample.ts';
import { type RowContent, type RowTerms, readColumns } from './columns.ts';
import { type Reading, type RowFormat, readingsOf } from './formats.ts';
import { checkMediaFiles } from './media.ts';
import type { SourceValues } from './opened-source.ts';
import { distinctReadings } from './recognise-format.ts';
import { renameColumns, underTheirName } from './rename-columns.ts';
import type { RowNotes } from './row-notes.ts';
import type { JsonObject } from './strict-json.ts';

export interface RowSource {
  readonly values: Pick<SourceValues, 'columns' | 'media'>;
  readonly file: string;
  readonly format: RowFormat;
  /** Is shown every row that can be parsed, before it is read. */
  readonly observe?: (row: JsonObject) => void;
}

export interface ReadRow {
  /** The row under the names its columns are read by. */
  readonly row: JsonObject;
  readonly content: RowContent & { readonly terms: RowTerms };
}

/** A parsed row as what it says, or null with the reasons in `notes`. */
export function readRow(written: JsonObject, source: RowSource, notes: RowNotes): ReadRow | null {
  const { columns } = source.values;
  const row = renameColumns(written, columns, notes);
  const renamed = notes.issues.length;
  source.observe?.(row);
  const reading = readingOf(row, source.format, notes);
  if (reading === null) return null;
  const content = readColumns(row, reading, notes);
  notes.issues.push(...notes.issues.splice(renamed).map((issue) => underTheirName(issue, { written, columns })));
  if (notes.issues.length > 0) return null;
  for (const [column, messages] of conversationsOf(content))
    checkMediaFiles(messages, { column, file: source.file, root: source.values.media, notes });
  return notes.issues.length > 0 ? null : { row, content };
}

/** Every conversation of a row, with what it is called there. */
function* conversationsOf(content: RowContent): Generator<readonly [string, readonly Message[]]> {
  yield ['messages', content.messages];
  if (content.rejected) yield ['rejected', content.rejected];
  for (const { messages } of content.ranked ?? []) yield ['ranked', messages];
  for (const messages of content.positives ?? []) yield ['positive_messages', messages];
  for (const messages of content.negatives ?? []) yield ['negative_messages', messages];
}

/** The one way in which the row is written in the format of its source. */
function readingOf(row: JsonObject, format: RowFormat, notes: RowNotes): Reading | null {
  const readings = format.readings(row);
  const [only] = readings;
  if (only === undefined) {
    reportForeignRow(row, format, notes);
    return null;
  }
  if (readings.length === 1) return only;
  const distinct = distinctReadings(
    row,
    readings.map((reading) => ({ format, reading })),
  );
  const [left] = distinct;
  if (left && distinct.length === 1) return left.reading;
  notes.problem({
    code: 'columns-ambiguous',
    message: `the row can be read in ${distinct.length} ways: ${distinct.map(({ how, text }) => `${how}: ${text}`).join('; ')}.`,
    fix: `Set data.sources[].columns: ${distinct.map(({ columns }) => columns).join(' or ')}.`,
  });
  return null;
}

function reportForeignRow(row: JsonObject, format: RowFormat, notes: RowNotes): void {
  const empty = format.columns.find((column) => row[column] === null);
  if (empty !== undefined) {
    notes.problem({ code: 'column-empty', path: [empty], message: 'there is nothing in it.', expected: format.needs });
    return;
  }
  const others = [...new Set(readingsOf(row).map((other) => other.format.name))];
  const near = Object.keys(row).flatMap((column) => nearestName(column, format.columns) ?? []);
  notes.problem({
    code: 'format-mismatch',
    message: `the row has ${Object.keys(row).length === 0 ? 'no columns' : `the columns ${Object.keys(row).join(', ')}`}; its source is read as ${format.name}.`,
    expected: format.needs,
    fix: others[0]
      ? `It could be read as ${others.join(' or ')}: put such rows into a source of their own.`
      : near[0] && `Did you mean ${near[0]}?`,
  });
}
