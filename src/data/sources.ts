import { access } from 'node:fs/promises';
import { issuesError, MartletError } from '../core/error.ts';
import type { Issue } from '../core/issue.ts';
import type { LineageInput } from '../schema/lineage.ts';
import type { PlanValues } from '../schema/plan.ts';
import { hashFile } from '../store/files.ts';
import { readRawRows } from '../store/raw-rows.ts';
import { formats, type RowFormat } from './formats.ts';
import { parseRow } from './parse-row.ts';
import { type PeekedRow, recogniseFormat } from './recognise-format.ts';
import { formatIssues, rowNotes } from './row-notes.ts';

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
        (await recogniseFormat({ rows: peek(file, request.signal), file, index, columns: values.columns, issues }));
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

/** The first rows, as far as they can be parsed. */
async function* peek(file: string, signal: AbortSignal | undefined): AsyncGenerator<PeekedRow> {
  for await (const raw of readRawRows(file, { signal })) {
    const notes = rowNotes({ file, line: raw.line });
    const row = parseRow(raw, notes);
    yield { line: raw.line, row, problem: formatIssues(notes.issues) };
  }
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
