import type { Issue } from '../core/issue.ts';
import type { Fate } from '../schema/fates.ts';
import type { Provenance, Sample } from '../schema/sample.ts';
import type { RawRow } from '../store/rows/raw-rows.ts';
import { contentId } from './content-id.ts';
import type { DataValues, OpenedSource } from './opened-source.ts';
import { parseRow } from './parse-row.ts';
import { type ReadRow, readRow as readRowContent } from './read-row.ts';
import { rowAccounts } from './row-accounts.ts';
import { formatIssues, type RowNotes, rowNotes, stepIssue } from './row-notes.ts';
import { sourceRows } from './source-rows.ts';
import { type OpenSourcesRequest, openSources } from './sources.ts';
import { rowSplitter } from './split.ts';
import type { RowSteps } from './steps/row-steps.ts';

export type { SourceRow } from './source-rows.ts';

export interface ReadSourcesRequest extends OpenSourcesRequest {
  /** The day embargoes are held against, as `2026-11-23`. */
  readonly today: string;
}

/** What became of one row of a source. */
export interface RowOutcome {
  readonly source: string;
  readonly file: string;
  readonly line: number;
  readonly sha256: string;
  readonly fate: Fate;
  /** Null unless the fate is `train` or `heldout`. */
  readonly sample: Sample | null;
  /** The id of the content, also of a row that was not kept; null when it could not be read. */
  readonly id: string | null;
  /** The id of what was read, before any step: its side of the split hangs on that. Absent where no step was taken. */
  readonly readId?: string | null;
  readonly reason: string | null;
  readonly changes: readonly string[];
  /** The day it may be used from, when the fate is `embargoed`. */
  readonly embargo: string | null;
  /** What is wrong with it, when the fate is `invalid`, or `filtered` for the order of its turns. */
  readonly issues: readonly Issue[];
}

/**
 * Every row of every source, in order, each with its fate. Memory: one row, and one hash for each distinct row.
 * @throws MartletError `invalid-input` for sources that cannot be read; `split-value-unknown` after the last row.
 */
export async function* readSources(request: ReadSourcesRequest): AsyncGenerator<RowOutcome> {
  yield* readOpenedSources(await openSources(request), request);
}

/**
 * Steps that look at one row at a time are taken; what steps over all rows would drop is still there. `share`: only the rows
 * that begin in this first share of each file, for an estimate.
 */
export async function* readOpenedSources(
  sources: readonly OpenedSource[],
  request: ReadSourcesRequest & { readonly share?: number; readonly steps?: RowSteps | undefined },
): AsyncGenerator<RowOutcome> {
  const read = rowReader(request);
  const through = request.steps ?? (await rowStepsOf(request.values));
  const accounts = rowAccounts(sources, request.values.split);
  for await (const { source: index, raw } of sourceRows(sources, request)) {
    const source = sources[index];
    if (!source) continue;
    const { splitValue, ...reading } = accounts.isFull(index)
      ? readingMaker(source, raw)('filtered', {})
      : read(raw, source);
    if (splitValue !== null) accounts.sawSplit(splitValue);
    const end = accounts.endOf(index, {
      // What a source gives again is no duplicate.
      isKept: reading.sample !== null && raw.copy === undefined,
      isFiltered: reading.fate === 'filtered' || reading.fate === 'limited',
      id: Buffer.from(reading.id ?? '', 'hex'),
      line: reading.line,
      file: reading.file,
    });
    const outcome = end ? { ...reading, ...end, sample: null } : reading;
    if (!through || !outcome.sample) {
      yield outcome;
      continue;
    }
    const left = through.apply(outcome.sample, `${outcome.file}:${outcome.line}`);
    const changes = [...outcome.changes, ...left.changes];
    if ('drop' in left) {
      const { fate, reason } = left.drop;
      const issues = fate === 'invalid' ? [stepIssue(outcome, { step: left.step, ...left.drop })] : [];
      yield { ...outcome, changes, fate, reason, issues, sample: null };
    } else yield { ...outcome, changes, sample: left.sample, id: left.sample.id, readId: outcome.id };
  }
  if ((request.share ?? 1) === 1) accounts.finish();
}

/** Undefined for rows that are taken through none. */
export async function rowStepsOf({ steps }: Pick<DataValues, 'steps'>): Promise<RowSteps | undefined> {
  return steps.length > 0 ? (await import('./steps/row-steps.ts')).openRowSteps(steps) : undefined;
}

/**
 * Every row by itself, also one that says the same as another, as a question: the answer at its end may be empty, as in a
 * table that waits for answers. Rows that are not drawn are left out.
 */
export async function* readQuestions(request: ReadSourcesRequest): AsyncGenerator<RowReading> {
  const sources = await openSources(request);
  const read = rowReader({ ...request, isQuestion: true });
  for await (const { source: index, raw } of sourceRows(sources, request)) {
    const source = sources[index];
    if (source && raw.left === undefined) yield read(raw, source);
  }
}

/** What a row is by itself: whether it can be read, which side it is on, and what it says. */
export interface RowReading extends Omit<RowOutcome, 'fate'> {
  readonly fate: Exclude<Fate, 'duplicate'>;
  /** The value of `split.by` that decided its side. */
  readonly splitValue: string | null;
}

/**
 * What of a recipe decides how one row is read, beside its source. What was read is kept under it: whatever else a reading
 * came to hang on would be taken from an earlier build in silence, so `rowReader` is given no more.
 */
export const readingValues = ({ split, turns }: Pick<DataValues, 'split' | 'turns'>) => ({ split, turns });

/** Reads one row without a look at any other, so that rows may be read in any order and by several workers. */
export function rowReader({
  values,
  today,
  isQuestion,
}: {
  readonly values: ReturnType<typeof readingValues>;
  /** As `ReadSourcesRequest` has it. */
  readonly today: string;
  /** See `RowNotes`. */
  readonly isQuestion?: boolean | undefined;
}) {
  const splitter = rowSplitter(values.split);
  return (raw: RawRow, source: OpenedSource): RowReading => {
    const reading = readingMaker(source, raw);
    if (raw.left !== undefined) return reading('limited', { reason: raw.left });
    const notes = rowNotes({ file: raw.file ?? source.file, line: raw.line }, { isQuestion });
    const read = readRow(raw, source, notes);
    const by = read?.content.terms.by ?? 'person';
    if (read && source.values.madeBy && !source.values.madeBy.includes(by))
      return reading('filtered', {
        id: read.id,
        reason: `made by ${by}; the source takes ${source.values.madeBy.join(', ')}`,
      });
    const side = read && splitter.sideOf(read.row, read.id, notes);
    if (!read || !side) return reading('invalid', { reason: formatIssues(notes.issues), issues: notes.issues });
    if (values.turns !== 'keep' && notes.disorder.length > 0) {
      reportDisorder(notes);
      const reason = formatIssues(notes.issues);
      return reading(values.turns === 'drop' ? 'filtered' : 'invalid', { id: read.id, reason, issues: notes.issues });
    }
    const { id, content } = read;
    const { changes } = notes;
    const { embargo } = content.terms;
    const common = { id, changes, splitValue: side.value };
    return embargo !== undefined && embargo > today
      ? reading('embargoed', { ...common, embargo, reason: `must not be used before ${embargo}` })
      : reading(side.side, { ...common, sample: sampleOf({ id, split: side.side, content, source, raw }) });
  };
}

function reportDisorder(notes: RowNotes): void {
  for (const { path, what } of notes.disorder)
    notes.problem({
      code: 'turns-out-of-order',
      path,
      message: `${what}.`,
      fix: 'Join turns of one role, give the assistant a question; or keep such rows: data.turns: keep.',
    });
}

function readingMaker(source: OpenedSource, raw: RawRow) {
  return (fate: RowReading['fate'], more: Partial<RowReading>): RowReading => ({
    source: source.values.from,
    file: raw.file ?? source.file,
    line: raw.line,
    sha256: raw.sha256,
    fate,
    sample: null,
    id: null,
    reason: null,
    changes: [],
    embargo: null,
    issues: [],
    splitValue: null,
    ...more,
  });
}

type Content = ReadRow['content'];

function readRow(raw: RawRow, source: OpenedSource, notes: RowNotes) {
  const written = parseRow(raw, notes);
  const read = written && readRowContent(written, source, notes);
  return read && { ...read, id: contentId(read.content) };
}

interface SampleParts {
  readonly id: string;
  readonly split: Sample['split'];
  readonly content: Content;
  readonly source: OpenedSource;
  readonly raw: RawRow;
}

function sampleOf({ id, split, content, source, raw }: SampleParts): Sample {
  const { terms, ...rest } = content;
  const licence = terms.licence ?? source.values.licence ?? undefined;
  const provenance: Provenance = {
    source: source.values.from,
    file: raw.file ?? source.file,
    line: raw.line,
    ...(raw.rowGroup !== undefined && { rowGroup: raw.rowGroup }),
    sha256: raw.sha256,
    ...terms,
    ...(licence !== undefined && { licence }),
  };
  return { id, ...rest, split, provenance };
}
