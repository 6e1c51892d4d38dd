import { access } from 'node:fs/promises';
import { basename } from 'node:path';
import { issuesError, MartletError } from '../core/error.ts';
import type { Issue } from '../core/issue.ts';
import { nearestName } from '../core/nearest.ts';
import type { LineageInput } from '../schema/lineage.ts';
import type { PlanValues } from '../schema/plan.ts';
import type { Message } from '../schema/sample.ts';
import { hashFile } from '../store/files.ts';
import { readRawRows } from '../store/raw-rows.ts';
import { formats, type RowFormat, recognisedFormats } from './formats.ts';
import { parseRow } from './parse-row.ts';
import { formatIssues, type RowNotes, rowNotes, shown } from './row-notes.ts';

export type DataValues = PlanValues['data'];
export type SourceValues = DataValues['sources'][number];
/** Gives the file that holds the rows of `feedback/<name>@<n>`. */
export type ResolveFeedback = (address: string) => string | Promise<string>;

/** A source that is there, and how its rows are written. */
export interface OpenedSource {
  readonly values: SourceValues;
  readonly file: string;
  readonly format: RowFormat;
}

export interface OpenSourcesRequest {
  readonly values: DataValues;
  readonly resolveFeedback?: ResolveFeedback | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Rows looked at to recognise a format. */
const peekRows = 64;

/**
 * Finds every source and recognises its format.
 * @throws MartletError `invalid-input` with everything that is wrong with any source.
 */
export async function openSources(request: OpenSourcesRequest): Promise<readonly OpenedSource[]> {
  const issues: Issue[] = [];
  const opened: OpenedSource[] = [];
  for (const [index, values] of request.values.sources.entries()) {
    const file = await sourceFile(values, request.resolveFeedback);
    try {
      await access(file);
      const format =
        formats.find((known) => known.name === values.format) ??
        (await recogniseFormat({ file, index, signal: request.signal, issues }));
      if (format) opened.push({ values, file, format });
    } catch (error) {
      request.signal?.throwIfAborted();
      issues.push(unreadable({ file, index, error }));
    }
  }
  if (issues.length > 0) throw issuesError('data', issues);
  return opened;
}

export async function sourceFile(values: SourceValues, resolveFeedback: ResolveFeedback | undefined): Promise<string> {
  if (!/^feedback\/.+@[0-9]+$/.test(values.from)) return values.from;
  if (resolveFeedback) return resolveFeedback(values.from);
  throw new MartletError('feedback-unresolved', `${values.from} needs a store to be found in`);
}

function unreadable({ file, index, error }: { file: string; index: number; error: unknown }): Issue {
  const known = MartletError.is(error) ? error : undefined;
  return {
    code: known?.code ?? 'file-unreadable',
    severity: 'error',
    path: ['data', 'sources', index, 'from'],
    message: known ? `${known.message}.` : `cannot read ${file}.`,
    fix: known?.hint ?? 'Check the path; it is taken relative to the recipe.',
  };
}

interface Recognition {
  readonly file: string;
  readonly index: number;
  readonly signal: AbortSignal | undefined;
  readonly issues: Issue[];
}

/** Looks at the first rows. Two readings, of one row or of two, are for a person to decide between. */
async function recogniseFormat({ file, index, signal, issues }: Recognition): Promise<RowFormat | undefined> {
  const readings = new Map<RowFormat, { line: number; text: string }>();
  const columns = new Set<string>();
  let rows = 0;
  let firstProblem = '';
  for await (const raw of readRawRows(file, { signal })) {
    rows++;
    const notes = rowNotes({ file, line: raw.line });
    const row = parseRow(raw, notes);
    if (row) {
      for (const column of Object.keys(row)) columns.add(column);
      for (const format of recognisedFormats(row)) {
        if (readings.has(format)) continue;
        const trial = rowNotes({ file, line: raw.line });
        const text = summary(format.read(row, trial)) || formatIssues(trial.issues.slice(0, 1));
        readings.set(format, { line: raw.line, text });
      }
    } else firstProblem ||= formatIssues(notes.issues);
    if (rows === peekRows) break;
  }
  const issue = (code: string, message: string, fix: string): undefined => {
    issues.push({ code, severity: 'error', path: ['data', 'sources', index, 'format'], message, fix });
  };
  if (rows === 0) return issue('source-empty', `${file} has no rows.`, 'Take the source out, or fill it.');
  if (columns.size === 0)
    return issue(
      'format-unknown',
      `no row of ${file} can be read: ${firstProblem}.`,
      'Rows are JSON objects: one a line (JSONL), or all in one array (JSON).',
    );
  if (readings.size === 0) return issue('format-unknown', unknownFormat(file, columns), 'Rename the columns.');
  const [only] = readings.keys();
  if (readings.size === 1) return only;
  const shownReadings = [...readings].map(([format, { line, text }]) => `as ${format.name} (line ${line}): ${text}`);
  return issue(
    'format-ambiguous',
    `${basename(file)} can be read in ${readings.size} ways: ${shownReadings.join('; ')}.`,
    `Set data.sources[${index}].format: ${[...readings.keys()].map((format) => format.name).join(' or ')}.`,
  );
}

function unknownFormat(file: string, columns: ReadonlySet<string>): string {
  const wanted = formats.flatMap((format) => format.columns);
  const slips = [...columns].flatMap((column) => {
    const near = nearestName(column, wanted);
    return near ? [`is ${column} meant as ${near}?`] : [];
  });
  const needs = formats.map((format) => `${format.name} needs ${format.needs}`).join('; ');
  return `the columns of ${basename(file)} (${[...columns].join(', ')}) fit no format: ${needs}. ${slips.join(' ')}`.trim();
}

function summary(messages: readonly Message[]): string {
  return messages
    .slice(0, 3)
    .map((message) => `${message.role} ${shown(message.content)}`)
    .join(' → ');
}

/** `notes` when the row is not written in the format of its source. */
export function reportForeignRow(
  row: Parameters<RowFormat['recognises']>[0],
  format: RowFormat,
  notes: RowNotes,
): boolean {
  if (format.recognises(row)) return false;
  const others = recognisedFormats(row).map((other) => other.name);
  const near = Object.keys(row).flatMap((column) => nearestName(column, format.columns) ?? []);
  notes.problem({
    code: 'format-mismatch',
    message: `the row has the columns ${Object.keys(row).join(', ')}; its source is read as ${format.name}.`,
    expected: format.needs,
    fix: others[0]
      ? `It could be read as ${others.join(' or ')}: put such rows into a source of their own.`
      : near[0] && `Did you mean ${near[0]}?`,
  });
  return true;
}

/**
 * The sources as inputs of a lineage: each file with the sha-256 of its bytes.
 * @throws MartletError `invalid-input` naming every source that is not there.
 */
export async function sourceInputs(request: OpenSourcesRequest): Promise<readonly LineageInput[]> {
  const issues: Issue[] = [];
  const inputs: LineageInput[] = [];
  for (const [index, values] of request.values.sources.entries()) {
    const file = await sourceFile(values, request.resolveFeedback);
    try {
      inputs.push({
        kind: file === values.from ? 'file' : 'feedback',
        address: values.from,
        fingerprint: await hashFile(file),
      });
    } catch (error) {
      request.signal?.throwIfAborted();
      issues.push(unreadable({ file, index, error }));
    }
  }
  if (issues.length > 0) throw issuesError('data', issues);
  return inputs;
}
