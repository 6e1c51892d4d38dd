import { join } from 'node:path';
import { z } from 'zod';
import { MartletError } from '../../core/error.ts';
import { message, provenance } from '../../schema/sample.ts';
import type { DatasetRows, LinePlace } from '../dataset/dataset-rows.ts';
import { hasCode, readJsonLines } from '../files/files.ts';
import { type RowPlace, sourceLookup } from './source-lookup.ts';

/** A row the model learned from, and where it stands. */
export interface TracedRow {
  readonly id: string;
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly sha256: string;
  /** Whether the row still stands there, byte for byte. */
  readonly ok: boolean;
  /** The beginning of what is to be learned from it. */
  readonly preview: string;
  /** Where its facts came from, as the row itself states in its column `origin`: the source's word, held against nothing. */
  readonly origin?: RowOrigin;
  /** Steps of the run it was computed in, counted from 1 as events count. */
  readonly steps: readonly number[];
}

export interface RowOrigin {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
}

/** A row of a dataset that was asked for. */
export type CheckedRow = Omit<TracedRow, 'id' | 'steps'>;

export interface CheckedRows {
  /** How many there are. */
  readonly count: number;
  /** Those that were asked for, by id. */
  readonly rows: ReadonlyMap<string, CheckedRow>;
  readonly problems: readonly string[];
}

/** Of many rows with the same trouble, so many are named. */
const namedProblems = 5;
const previewLength = 80;

const rowOrigin = z.object({ file: z.string().min(1), line: z.number().int().min(1) });
const datasetRow = z.object({
  id: z.string(),
  messages: z.array(message),
  provenance,
  extra: z.object({ origin: rowOrigin.optional().catch(undefined) }).optional(),
});

export interface CheckRowsOptions {
  /** Makes the rows of a dataset again; undefined for one that keeps them. */
  readonly madeRows?: ((folder: string) => DatasetRows | undefined) | undefined;
  /** Only rows with these ids are looked up, and each of them is given; all are looked up when absent. */
  readonly ids?: ReadonlySet<string> | undefined;
  /** Where those rows stand, where that is known and they are made again: no others are then made. */
  readonly places?: readonly LinePlace[] | undefined;
  /** Told of the id of each row in turn; says whether that row is to be given. */
  readonly isShown?: ((id: string) => boolean) | undefined;
}

/**
 * Reads the rows of a dataset and looks up each one in the source file it came from. Rows that are made again are so
 * looked up by being made: each piece is held against its hash. Memory: some thousand rows, and those that are given.
 */
export async function checkDatasetRows(folder: string, options: CheckRowsOptions = {}): Promise<CheckedRows> {
  const { madeRows, ids, places, isShown = () => ids !== undefined } = options;
  const rows = new Map<string, CheckedRow & { ok: boolean }>();
  const problems: string[] = [];
  let count = 0;
  const read = (value: unknown, line: number): OpenRow | undefined => {
    count++;
    if (ids && !ids.has(String((value as { readonly id?: unknown } | null)?.id))) return undefined;
    const row = datasetRow.safeParse(value).data;
    if (row === undefined) {
      problems.push(`rows.jsonl:${line} is no row`);
      return undefined;
    }
    const { file, line: sourceLine, sha256 } = row.provenance;
    const place = { file, line: sourceLine, sha256 };
    if (!isShown(row.id)) return { ...place, shown: undefined };
    const origin = row.extra?.origin;
    const shown = { ...place, ok: true, preview: previewOf(row.messages), ...(origin && { origin }) };
    rows.set(row.id, shown);
    return { ...place, shown };
  };
  const made = madeRows?.(folder);
  if (made) {
    try {
      let line = 0;
      for await (const sample of places ? samplesAt(made, places) : made.samples()) read(sample, ++line);
    } catch (error) {
      if (!MartletError.is(error)) throw error;
      problems.push([error.message, error.hint].filter(Boolean).join('. '));
    }
    return { count, rows, problems };
  }
  const named = new Set<string>();
  let missing = 0;
  const lookup = sourceLookup<OpenRow>(({ file, line, shown }) => {
    missing++;
    if (shown) shown.ok = false;
    if (named.size < namedProblems) named.add(`rows.jsonl came from ${file}:${line}, where that row no longer stands`);
  });
  await eachLine(join(folder, 'rows.jsonl'), problems, async (value, line) => {
    const row = read(value, line);
    if (row) await lookup.add(row);
  });
  await lookup.finish();
  problems.push(...summarise([...named], missing));
  return { count, rows, problems };
}

interface OpenRow extends RowPlace {
  /** The row as it is given, where it is. */
  readonly shown: { ok: boolean } | undefined;
}

async function* samplesAt(rows: DatasetRows, places: readonly LinePlace[]): AsyncGenerator<unknown> {
  for await (const { bytes } of rows.linesAt(places))
    for (const line of Buffer.from(bytes).toString('utf8').split('\n')) if (line !== '') yield JSON.parse(line);
}

async function eachLine(
  file: string,
  problems: string[],
  visit: (value: unknown, line: number) => Promise<void>,
): Promise<void> {
  try {
    for await (const { value, line } of readJsonLines(file)) await visit(value, line);
  } catch (error) {
    if (MartletError.is(error)) problems.push(error.message);
    else if (!hasCode(error, 'ENOENT')) throw error;
    // A file that is missing is reported with the files of its artefact.
  }
}

/** The first of many problems, and how many more there are. */
export function summarise(named: readonly string[], count = named.length): string[] {
  const first = named.slice(0, namedProblems);
  return count > first.length ? [...first, `and ${count - first.length} more like these`] : first;
}

function previewOf(messages: z.infer<typeof datasetRow>['messages']): string {
  const content = messages.findLast(({ role }) => role === 'assistant')?.content ?? '';
  const text =
    typeof content === 'string' ? content : content.map((part) => (part.type === 'text' ? part.text : '')).join('');
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > previewLength ? `${line.slice(0, previewLength - 1)}…` : line;
}
