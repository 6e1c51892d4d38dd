import { hash } from 'node:crypto';
import { canonicalJson } from '../core/canonical-json.ts';
import type { Issue } from '../core/issue.ts';
import type { Fate } from '../schema/dataset.ts';
import type { Provenance, Sample } from '../schema/sample.ts';
import type { RawRow } from '../store/raw-rows.ts';
import type { RowContent } from './columns.ts';
import { parseRow } from './parse-row.ts';
import { type ReadRow, readRow as readRowContent } from './read-row.ts';
import { formatIssues, type RowNotes, rowNotes } from './row-notes.ts';
import { sourceRows } from './source-rows.ts';
import { type OpenedSource, type OpenSourcesRequest, openSources } from './sources.ts';
import { rowSplitter } from './split.ts';

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
  readonly reason: string | null;
  readonly changes: readonly string[];
  /** The day it may be used from, when the fate is `embargoed`. */
  readonly embargo: string | null;
  /** What is wrong with it, when the fate is `invalid`. */
  readonly issues: readonly Issue[];
}

/**
 * Every row of every source, in order, each with its fate. Memory: one row, and one hash for each distinct row.
 * @throws MartletError `invalid-input` for sources that cannot be read; `split-value-unknown` after the last row.
 */
export async function* readSources(request: ReadSourcesRequest): AsyncGenerator<RowOutcome> {
  yield* readOpenedSources(await openSources(request), request);
}

/** `share`: only the rows that begin in this first share of each file, for an estimate. */
export async function* readOpenedSources(
  sources: readonly OpenedSource[],
  { values, today, signal, share = 1 }: ReadSourcesRequest & { readonly share?: number },
): AsyncGenerator<RowOutcome> {
  const splitter = rowSplitter(values.split);
  const firstOf = firstPlaces(sources);
  const takenOf = new Map<number, number>();
  for await (const { source: index, raw } of sourceRows(sources, { values, signal, share })) {
    const source = sources[index];
    if (!source) continue;
    {
      const taken = takenOf.get(index) ?? 0;
      const outcome = outcomeMaker(source, raw);
      if (raw.left !== undefined) {
        yield outcome('limited', { reason: raw.left });
        continue;
      }
      const limit = source.values.limit;
      if (limit !== null && taken >= limit) {
        yield outcome('limited', { reason: `the source is limited to ${limit} rows` });
        continue;
      }
      const notes = rowNotes({ file: raw.file ?? source.file, line: raw.line });
      const read = readRow(raw, source, notes);
      const by = read?.content.terms.by ?? 'person';
      if (read && source.values.madeBy && !source.values.madeBy.includes(by)) {
        yield outcome('filtered', {
          id: read.id,
          reason: `made by ${by}; the source takes ${source.values.madeBy.join(', ')}`,
        });
        continue;
      }
      takenOf.set(index, taken + 1);
      const split = read && splitter.sideOf(read.row, read.id, notes);
      if (!read || !split) {
        yield outcome('invalid', { reason: formatIssues(notes.issues), issues: notes.issues });
        continue;
      }
      const { id, content } = read;
      const { changes } = notes;
      const embargo = content.terms.embargo;
      if (embargo !== undefined && embargo > today) {
        yield outcome('embargoed', { id, embargo, reason: `must not be used before ${embargo}`, changes });
        continue;
      }
      const first = raw.copy === undefined ? firstOf.seen(id, { source: index, line: raw.line }) : null;
      if (first) yield outcome('duplicate', { id, reason: `the same content as ${first}`, changes });
      else yield outcome(split, { id, sample: sampleOf({ id, split, content, source, raw }), changes });
    }
  }
  if (share === 1) splitter.finish();
}

function outcomeMaker(source: OpenedSource, raw: RawRow) {
  const { from } = source.values;
  return (
    fate: Fate,
    { sample = null, id = null, reason = null, changes = [], embargo = null, issues = [] }: Partial<RowOutcome>,
  ): RowOutcome => ({
    source: from,
    file: raw.file ?? source.file,
    line: raw.line,
    sha256: raw.sha256,
    fate,
    sample,
    id,
    reason,
    changes,
    embargo,
    issues,
  });
}

type Content = ReadRow['content'];

function readRow(raw: RawRow, source: OpenedSource, notes: RowNotes) {
  const written = parseRow(raw, notes);
  const read = written && readRowContent(written, source, notes);
  return read && { ...read, id: contentId(read.content) };
}

/**
 * The fingerprint of what a row teaches: where it came from, and columns nobody interprets, do not count; but for a row
 * without an answer, whose columns are what scorers go by.
 */
export function contentId(
  content: RowContent & Partial<Record<'terms' | 'id' | 'split' | 'provenance', unknown>>,
): string {
  const { terms: _, id: __, split: ___, provenance: ____, extra, margin: _____, ...taught } = content;
  const isAnswered = taught.messages.some(({ role }) => role === 'assistant');
  return hash('sha256', canonicalJson({ ...taught, ...(!isAnswered && { extra }) }));
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

/** Remembers where each content first stood: one number a content. */
function firstPlaces(sources: readonly OpenedSource[]) {
  const lineRange = 2 ** 40;
  const places = new Map<string, number>();
  return {
    seen(id: string, place: { readonly source: number; readonly line: number }): string | null {
      const first = places.get(id);
      if (first === undefined) {
        places.set(id, place.source * lineRange + place.line);
        return null;
      }
      return `${sources[Math.floor(first / lineRange)]?.file}:${first % lineRange}`;
    },
  };
}
