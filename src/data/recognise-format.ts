import { basename } from 'node:path';
import { canonicalJson } from '../core/canonical-json.ts';
import type { Issue } from '../core/issue.ts';
import { nearestName } from '../core/nearest.ts';
import type { Message } from '../schema/sample.ts';
import { fileKind } from '../store/rows/read-rows.ts';
import { readColumns } from './columns.ts';
import { columnsMeant, columnsText } from './columns-meant.ts';
import { type FormatReading, formats, type RowFormat, readingsOf } from './formats.ts';
import { knownColumns } from './known-columns.ts';
import { type ColumnNames, renameColumns } from './rename-columns.ts';
import { formatIssues, rowNotes, shown } from './row-notes.ts';
import { columnSearch } from './source-columns.ts';
import type { JsonObject } from './strict-json.ts';

/** Rows looked at to recognise a format. */
export const peekRows = 64;

/** One of the first rows of a source. */
export interface PeekedRow {
  readonly line: number;
  /** Its file, where the source has several. */
  readonly file?: string | undefined;
  /** Null when it cannot be parsed. */
  readonly row: JsonObject | null;
  /** Why it cannot. */
  readonly problem: string;
}

export interface Recognition {
  readonly rows: AsyncIterable<PeekedRow> | Iterable<PeekedRow>;
  readonly file: string;
  /** Index of the source in the recipe. */
  readonly index: number;
  readonly columns: ColumnNames | null;
  readonly issues: Issue[];
}

/** How a row can be read, in words. */
export interface TrialReading extends FormatReading {
  /** `query (question: query, answer: response)` */
  readonly how: string;
  /** The `columns` of a recipe that would decide for it. */
  readonly columns: string;
  /** The conversation, shortened. */
  readonly text: string;
}

/** Looks at the first rows. Two readings, of one row or of two, are for a person to decide between. */
export async function recogniseFormat(request: Recognition): Promise<RowFormat | undefined> {
  const { file, index, issues } = request;
  const source = `data.sources[${index}]`;
  const found = new Map<string, TrialReading & { readonly place: string }>();
  const search = columnSearch(request.columns);
  const { columns } = search;
  let rows = 0;
  let firstProblem = '';
  const meant = columnsMeant();
  for await (const { line, row: written, problem, file: part } of request.rows) {
    rows++;
    if (written) search.saw(written);
    // A column may come late: whether no row has it, only all rows tell.
    if (rows > peekRows) {
      if (search.isOver()) break;
    } else if (written) {
      const row = renameColumns(written, request.columns, rowNotes({ file, line }));
      meant.saw(written);
      const readings = distinctReadings(row, readingsOf(row));
      for (const reading of readings) {
        // Two readings in one format, of one row, are told apart by their columns.
        const isAlone = readings.every((other) => other === reading || other.format !== reading.format);
        const key = isAlone ? reading.format.name : reading.how;
        if (!found.has(key))
          found.set(key, { ...reading, place: part === undefined ? `line ${line}` : `${basename(part)}:${line}` });
      }
    } else firstProblem ||= problem;
    if (rows === peekRows && search.isOver()) break;
  }
  const issue = (code: string, message: string, fix?: string): undefined => {
    const path = ['data', 'sources', index, 'format'];
    issues.push({ code, severity: 'error', path, message, ...(fix !== undefined && { fix }) });
  };
  if (rows === 0) return issue('source-empty', `${file} has no rows.`, 'Take the source out, or fill it.');
  if (columns.size === 0)
    return issue(
      'format-unknown',
      `no row of ${file} can be read: ${firstProblem}`,
      // What is wrong with a row of another kind is told with its own fix.
      isJson(file) ? 'Rows are JSON objects: one a line (JSONL), or all in one array (JSON).' : undefined,
    );
  if (!search.isOver()) {
    issues.push(...search.issues({ file, index }));
    return undefined;
  }
  if (found.size === 0)
    return issue(
      'format-unknown',
      unknownFormat(file, columns),
      `Say what the columns are, such as ${source}.columns: ${meant.proposal()}.`,
    );
  const readings = [...found.values()];
  const [first] = readings;
  if (readings.length === 1) return first?.format;
  const isAlone = ({ format }: TrialReading): boolean =>
    readings.filter((other) => other.format === format).length === 1;
  const ways = readings.map((reading) => {
    const way = isAlone(reading) ? reading.format.name : reading.how;
    return `as ${way} (${reading.place}): ${reading.text}`;
  });
  // A format decides between formats; between two readings in one format, columns do.
  const formatNames = readings.filter(isAlone).map(({ format }) => format.name);
  const columnSets = readings.filter((reading) => !isAlone(reading)).map((reading) => reading.columns);
  const keys = [
    ...(formatNames.length > 0 ? [`${source}.format: ${formatNames.join(' or ')}`] : []),
    ...(columnSets.length > 0 ? [`${source}.columns: ${columnSets.join(' or ')}`] : []),
  ];
  return issue(
    'format-ambiguous',
    `${basename(file)} can be read in ${readings.length} ways: ${ways.join('; ')}.`,
    `Set ${keys.join(', or ')}.`,
  );
}

/** Readings that say different things: of two that say the same, or of which one says more, one is left. */
export function distinctReadings(row: JsonObject, readings: readonly FormatReading[]): readonly TrialReading[] {
  const trials = readings.map((given) => {
    const notes = rowNotes({ file: '', line: 1 });
    const { messages } = readColumns(row, given.reading, notes);
    const names = Object.entries(given.reading.columns).filter(
      ([theirs, ours]) => (ours === 'query' || ours === 'response') && row[theirs] !== undefined,
    );
    const written = names.map(([theirs, ours]) => `${theirs}: ${ours}`).join(', ');
    return {
      ...given,
      messages,
      how: written === '' ? given.format.name : `${given.format.name} (${written})`,
      columns: columnsText(Object.fromEntries(names)),
      text: summary(messages) || formatIssues(notes.issues.slice(0, 1)),
    };
  });
  return trials.filter((trial, index) => !trials.some((other, at) => at !== index && covers(other, trial, at < index)));
}

type Trial = TrialReading & { readonly messages: readonly Message[] };

/**
 * Whether what `trial` says is said by `other` too: it is the same or its beginning; or `other` is a conversation that asks
 * the same question, and the columns of `trial` are what the conversation was made from.
 */
function covers(other: Trial, trial: Trial, isFirst: boolean): boolean {
  const mine = trial.messages.map((message) => canonicalJson(message));
  const theirs = other.messages.map((message) => canonicalJson(message));
  const isBeginning = mine.length > 0 && mine.every((message, index) => message === theirs[index]);
  if (isBeginning && (mine.length < theirs.length || isFirst)) return true;
  const asked = questionOf(trial.messages);
  const isMadeFrom = isConversation(other.format) && !isConversation(trial.format) && asked !== '';
  return isMadeFrom && questionOf(other.messages).includes(asked);
}

const isConversation = ({ name }: RowFormat): boolean => name === 'messages' || name === 'sharegpt';

function questionOf(messages: readonly Message[]): string {
  const content = messages.findLast(({ role }) => role === 'user')?.content ?? '';
  return typeof content === 'string'
    ? content
    : content.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

function unknownFormat(file: string, columns: ReadonlySet<string>): string {
  const slips = [...columns].flatMap((column) => {
    const near = nearestName(column, knownColumns);
    return near && near !== column ? [`is ${column} meant as ${near}?`] : [];
  });
  const needs = formats.map((format) => `${format.name} needs ${format.needs}`).join('; ');
  return `the columns of ${basename(file)} (${[...columns].join(', ')}) fit no format: ${needs}. ${slips.join(' ')}`.trim();
}

const isJson = (file: string): boolean => ['lines', 'json', undefined].includes(fileKind(file));

export function summary(messages: readonly Message[]): string {
  return messages
    .slice(0, 3)
    .map((message) => `${message.role} ${shown(message.content)}`)
    .join(' → ');
}
