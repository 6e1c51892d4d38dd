import { join } from 'node:path';
import { z } from 'zod';
import { MartletError } from '../../core/error.ts';
import { textRowKinds } from '../../schema/recipe.ts';
import { message, provenance } from '../../schema/sample.ts';
import type { DatasetRows } from '../dataset-rows.ts';
import { hasCode, readJsonLines } from '../files.ts';
import { reopenPart } from '../rows/open-parts.ts';
import { fileKind } from '../rows/read-rows.ts';
import { openShards } from '../shard-reader.ts';
import { stepsOfRows } from '../shard-steps.ts';

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

interface RowPlace {
  readonly file: string;
  readonly line: number;
  readonly sha256: string;
  readonly preview: string;
  readonly origin: RowOrigin | undefined;
}

export interface CheckedRows {
  readonly byId: ReadonlyMap<string, RowPlace>;
  /** `file:line` of rows that do not stand in their source any more. */
  readonly changed: ReadonlySet<string>;
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
  /** Only rows with these ids; all when absent. */
  readonly ids?: ReadonlySet<string> | undefined;
}

/**
 * Reads the rows of a dataset and looks up each one in the source file it came from. Rows that are made again are so
 * looked up by being made: each piece is held against its hash. Memory: a few hundred bytes a row.
 */
export async function checkDatasetRows(folder: string, options: CheckRowsOptions = {}): Promise<CheckedRows> {
  const { madeRows, ids } = options;
  const byId = new Map<string, RowPlace>();
  const wanted = new Map<string, Map<number, RowPlace[]>>();
  const problems: string[] = [];
  const add = (value: unknown, line: number): RowPlace | undefined => {
    const row = datasetRow.safeParse(value).data;
    if (row === undefined) problems.push(`rows.jsonl:${line} is no row`);
    if (row === undefined || ids?.has(row.id) === false) return undefined;
    const { file, line: sourceLine, sha256 } = row.provenance;
    const place = { file, line: sourceLine, sha256, preview: previewOf(row.messages), origin: row.extra?.origin };
    byId.set(row.id, place);
    return place;
  };
  const made = madeRows?.(folder);
  if (made) {
    let line = 0;
    try {
      for await (const sample of made.samples()) add(sample, ++line);
    } catch (error) {
      if (!MartletError.is(error)) throw error;
      problems.push([error.message, error.hint].filter(Boolean).join('. '));
    }
    return { byId, changed: new Set(), problems };
  }
  await eachLine(join(folder, 'rows.jsonl'), problems, (value, line) => {
    const place = add(value, line);
    if (!place) return;
    const lines = wanted.get(place.file) ?? new Map<number, RowPlace[]>();
    wanted.set(place.file, lines);
    lines.set(place.line, [...(lines.get(place.line) ?? []), place]);
  });
  const changed = new Set<string>();
  for (const [file, lines] of wanted) {
    const missing = await missingRows(file, lines);
    for (const place of missing) changed.add(`${place.file}:${place.line}`);
  }
  problems.push(
    ...summarise([...changed].map((place) => `rows.jsonl came from ${place}, where that row no longer stands`)),
  );
  return { byId, changed, problems };
}

/** Rows that do not stand at their line with their hash. Several rows of a JSON array may begin on one line. */
async function missingRows(file: string, lines: ReadonlyMap<number, RowPlace[]>): Promise<RowPlace[]> {
  const left = new Set([...lines.values()].flat());
  const part = reopenPart(file);
  // The rows of a plug-in are not looked up: what they hang on is not written down here.
  if (!part) return [];
  try {
    // What one row of a text was stands in the recipe alone; its hash tells.
    for (const textRows of fileKind(file) === 'text' ? textRowKinds : textRowKinds.slice(0, 1)) {
      if (left.size === 0) break;
      for await (const raw of part.read({ textRows })) {
        for (const place of lines.get(raw.line) ?? []) if (place.sha256 === raw.sha256) left.delete(place);
      }
    }
  } catch (error) {
    // Unreadable now: then none of its rows can be shown.
    if (!MartletError.is(error)) throw error;
    return [...lines.values()].flat();
  }
  return [...left];
}

/** Looks up the rows of the training shards in the dataset. */
export async function checkShardRows(request: {
  readonly folder: string;
  readonly dataset: CheckedRows;
  readonly shown: number;
}): Promise<{ readonly rows: readonly TracedRow[]; readonly count: number; readonly problems: readonly string[] }> {
  const { folder, dataset, shown } = request;
  const found = new Map<number, Omit<TracedRow, 'steps'>>();
  const strangers: string[] = [];
  let row = 0;
  try {
    using reader = await openShards(folder);
    for (const { id } of reader.rows('train')) {
      const known = dataset.byId.get(id);
      if (known === undefined) strangers.push(`train.rows.u32 names ${id}, which is no row of the dataset`);
      else if (found.size < shown) {
        const { file, line, sha256, preview, origin } = known;
        const ok = !dataset.changed.has(`${file}:${line}`);
        found.set(row, { id, file, line, sha256, ok, preview, ...(origin && { origin }) });
      }
      row++;
    }
    if (row === 0) return { rows: [], count: 0, problems: ['train.rows.u32 leads to no row'] };
    const steps = stepsOfRows(reader, new Set(found.keys()));
    const rows = Array.from(found, ([index, traced]): TracedRow => ({ ...traced, steps: steps.get(index) ?? [] }));
    return { rows, count: row - strangers.length, problems: summarise(strangers) };
  } catch (error) {
    if (!MartletError.is(error)) throw error;
    return { rows: [], count: 0, problems: [error.message] };
  }
}

async function eachLine(
  file: string,
  problems: string[],
  visit: (value: unknown, line: number) => void,
): Promise<void> {
  try {
    for await (const { value, line } of readJsonLines(file)) visit(value, line);
  } catch (error) {
    if (MartletError.is(error)) problems.push(error.message);
    else if (!hasCode(error, 'ENOENT')) throw error;
    // A file that is missing is reported with the files of its artefact.
  }
}

function summarise(all: readonly string[]): string[] {
  if (all.length <= namedProblems) return [...all];
  return [...all.slice(0, namedProblems), `and ${all.length - namedProblems} more like these`];
}

function previewOf(messages: z.infer<typeof datasetRow>['messages']): string {
  const content = messages.findLast(({ role }) => role === 'assistant')?.content ?? '';
  const text =
    typeof content === 'string' ? content : content.map((part) => (part.type === 'text' ? part.text : '')).join('');
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > previewLength ? `${line.slice(0, previewLength - 1)}…` : line;
}
