import { issuesError, MartletError } from '../core/error.ts';
import { parseFeedbackAddress } from '../core/feedback-address.ts';
import { fingerprint } from '../core/fingerprint.ts';
import type { Issue } from '../core/issue.ts';
import type { LineageInput } from '../schema/lineage.ts';
import type { FetchedBytes } from '../store/dataset/disk-budget.ts';
import { type FetchDataset, openParts, type RowPart } from '../store/rows/open-parts.ts';
import type { RawRow } from '../store/rows/raw-rows.ts';
import { parseSourceAddress } from '../store/rows/source-address.ts';
import { formats } from './formats.ts';
import { targetIssues } from './known-columns.ts';
import type { DataValues, OpenedSource, SourceValues } from './opened-source.ts';
import { parseRow } from './parse-row.ts';
import { type PeekedRow, type Recognition, recogniseFormat } from './recognise-format.ts';
import { formatIssues, rowNotes } from './row-notes.ts';
import { columnSearch } from './source-columns.ts';
import { partRows } from './source-rows.ts';

/** Gives the file that holds the rows of `feedback/<name>@<n>`. */
export type ResolveFeedback = (address: string) => string | Promise<string>;

export interface OpenSourcesRequest {
  readonly values: DataValues;
  readonly resolveFeedback?: ResolveFeedback | undefined;
  /** Brings the files of a hub's data set here; without it such a source is refused. */
  readonly fetchDataset?: FetchDataset | undefined;
  /** Bytes that all that is kept of the corpus may take: files of hubs are then fetched when they are read, and go again. */
  readonly lendWithin?: number | undefined;
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
    try {
      const { everyRow, ...source } = await openSource(request, index);
      const { file } = source;
      const { columns } = values;
      const trial = { rows: peek(everyRow({ signal: request.signal }), file), file, index, columns, issues };
      issues.push(...targetIssues(columns, { data: request.values, index }));
      const set = formats.find((known) => known.name === values.format);
      if (set && columns) await findColumns(trial);
      const format = set ?? (await recogniseFormat(trial));
      if (format) opened.push({ ...source, format });
    } catch (error) {
      request.signal?.throwIfAborted();
      if (MartletError.is(error) && error.code === 'feedback-unresolved') throw error;
      issues.push(unreadable({ file: values.from, index, error }));
    }
  }
  if (issues.length > 0) throw issuesError('data', issues);
  return opened;
}

/** Reads until every column that the recipe names was there. */
async function findColumns({ rows, file, index, columns, issues }: Recognition): Promise<void> {
  const search = columnSearch(columns);
  for await (const { row } of rows) {
    if (row) search.saw(row);
    if (search.isOver()) return;
  }
  // Of rows that cannot be parsed, reading tells.
  if (search.columns.size > 0) issues.push(...search.issues({ file, index }));
}

interface FoundSource extends Omit<OpenedSource, 'format'> {
  /** Its rows, whether drawn or not. */
  readonly everyRow: OpenedSource['rows'];
}

async function openSource(request: OpenSourcesRequest, index: number): Promise<FoundSource> {
  const { values: data } = request;
  const values = data.sources[index];
  if (!values) throw new RangeError(`no source ${index}`);
  const parts = await sourceParts(values, request);
  const sample = values.sample ?? parseSourceAddress(values.from).sample;
  const [only] = parts;
  return {
    values,
    file: only && parts.length === 1 ? only.file : values.from,
    sample,
    rows: partRows({ values, parts, index, sample, data }),
    everyRow: partRows({ values, parts, index, sample: null, data }),
    async extent() {
      const bytes = await Promise.all(parts.map((part) => part.bytes()));
      const rows = await Promise.all(parts.map((part) => part.statedRows()));
      return {
        bytes: bytes.reduce<number>((sum, size) => sum + (size ?? 0), 0),
        rows: rows.reduce<number | null>((sum, count) => (sum === null || count === null ? null : sum + count), 0),
      };
    },
  };
}

async function sourceParts(
  values: SourceValues,
  { resolveFeedback, fetchDataset, lendWithin }: OpenSourcesRequest,
): Promise<readonly RowPart[]> {
  const { from, query, options } = values;
  if (!parseFeedbackAddress(from)) return openParts({ from, query, options: options ?? {}, fetchDataset, lendWithin });
  if (!resolveFeedback) throw new MartletError('feedback-unresolved', `${from} needs a store to be found in`);
  return openParts({ from: await resolveFeedback(from) });
}

function unreadable({ file, index, error }: { file: string; index: number; error: unknown }): Issue {
  const known = MartletError.is(error) ? error : undefined;
  const fix = known ? known.hint : 'Check the path.';
  return {
    code: known?.code ?? 'file-unreadable',
    severity: 'error',
    path: ['data', 'sources', index, 'from'],
    message: known ? `${known.message}.` : `cannot read ${file}.`,
    ...(fix !== undefined && { fix }),
  };
}

/** The first rows, as far as they can be parsed. */
async function* peek(rows: AsyncIterable<RawRow>, source: string): AsyncGenerator<PeekedRow> {
  for await (const raw of rows) {
    const notes = rowNotes({ file: raw.file ?? source, line: raw.line });
    const row = parseRow(raw, notes);
    yield { line: raw.line, file: raw.file, row, problem: formatIssues(notes.issues) };
  }
}

/**
 * The sources as inputs of a lineage: each file with the sha-256 of its bytes, queries and plug-ins with one over the
 * hashes of their rows.
 * @throws MartletError `invalid-input` naming every source that is not there.
 */
export async function sourceInputs(request: OpenSourcesRequest): Promise<readonly LineageInput[]> {
  const issues: Issue[] = [];
  const inputs: LineageInput[] = [];
  for (const [index, values] of request.values.sources.entries()) {
    try {
      for (const part of await sourceParts(values, request)) {
        const fingerprint = await part.fingerprint(request.signal);
        inputs.push(
          parseFeedbackAddress(values.from)
            ? { kind: 'feedback', address: values.from, fingerprint }
            : { kind: part.kind, address: part.file, fingerprint },
        );
      }
    } catch (error) {
      request.signal?.throwIfAborted();
      if (MartletError.is(error) && error.code === 'feedback-unresolved') throw error;
      issues.push(unreadable({ file: values.from, index, error }));
    }
  }
  if (issues.length > 0) throw issuesError('data', issues);
  return inputs;
}

/** What is fetched when the sources are read. @throws as `openSources` does */
export async function fetchedBytes(request: OpenSourcesRequest): Promise<FetchedBytes> {
  let [largest, total] = [0, 0];
  for (const values of request.values.sources) {
    const sizes = (await sourceParts(values, request)).map((part) => part.fetchedBytes);
    largest += Math.max(0, ...sizes);
    total += sizes.reduce((sum, size) => sum + size, 0);
  }
  return { largest, total };
}

/**
 * Of the bytes of all sources, and of what reads them and takes them through the steps: what is worked out from the rows
 * holds as long as it stays the same. Null where a source is no file, and would have to be read to be known.
 */
export async function sourcesFingerprint(request: OpenSourcesRequest): Promise<string | null> {
  const { sources, steps } = request.values;
  const files: (readonly string[])[] = [];
  for (const values of sources)
    for (const part of await sourceParts(values, request)) {
      if (part.kind !== 'file') return null;
      files.push([part.file, await part.fingerprint(request.signal)]);
    }
  const { codeFingerprint, stepKeys } = await import('./steps/open-steps.ts');
  return fingerprint({ files, steps: await stepKeys(steps), code: await codeFingerprint() });
}
