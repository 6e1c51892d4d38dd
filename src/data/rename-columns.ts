import type { Issue } from '../core/issue.ts';
import { isAnswerColumn } from './answers.ts';
import type { RowNotes } from './row-notes.ts';
import { columnValue } from './split.ts';
import { isNothing, type JsonObject } from './strict-json.ts';

/** `theirs: ours`: which columns are read under another name. */
export type ColumnNames = Readonly<Record<string, string>>;

/** The row with its columns under the names they are read by; a row that lacks one keeps what it has, and that is noted. */
export function renameColumns(row: JsonObject, names: ColumnNames | null, notes: RowNotes): JsonObject {
  if (names === null) return inLowerCase(row);
  const renamed: JsonObject = { ...row };
  // First all are taken out, so that two columns may swap their names.
  for (const theirs of Object.keys(names)) delete renamed[theirs];
  for (const [theirs, ours] of Object.entries(names)) {
    const value = columnValue(row, theirs);
    if (value === undefined) {
      if (isNothing(renamed[ours])) notes.changes.push(`has no column ${theirs}`);
      continue;
    }
    if (renamed[ours] !== undefined && renamed[ours] !== null)
      notes.problem({
        code: 'column-taken',
        path: [ours],
        message: `${theirs} is to be read as ${ours}, which the row has already.`,
        fix: `Rename it too: data.sources[].columns: { ${ours}: ${ours}_before }.`,
      });
    else renamed[ours] = value;
  }
  return inLowerCase(renamed);
}

/** `Chosen` is an answer too, as `Answer` is one beside `Question`. */
function inLowerCase(row: JsonObject): JsonObject {
  const others = Object.keys(row).filter((column) => isAnswerColumn(column.toLowerCase()) && !isAnswerColumn(column));
  const lone = others.filter((column) => !Object.hasOwn(row, column.toLowerCase()));
  if (lone.length === 0) return row;
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => [lone.includes(column) ? column.toLowerCase() : column, value]),
  );
}

/** What was found in a column, at the name that the column has in the rows. */
export function underTheirName(
  issue: Issue,
  { written, columns }: { readonly written: JsonObject; readonly columns: ColumnNames | null },
): Issue {
  const [column, ...inside] = issue.path;
  const theirs = Object.entries(columns ?? {}).find(
    ([name, ours]) => ours === column && columnValue(written, name) !== undefined,
  );
  if (theirs) return { ...issue, path: [theirs[0], ...inside] };
  if (typeof column !== 'string' || Object.hasOwn(written, column) || !isAnswerColumn(column)) return issue;
  const spelt = Object.keys(written).find((name) => name.toLowerCase() === column);
  return spelt === undefined ? issue : { ...issue, path: [spelt, ...inside] };
}
