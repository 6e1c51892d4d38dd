import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { type Dataset, dataset, type LedgerEntry } from '../schema/dataset.ts';
import { type Fate, fates } from '../schema/fates.ts';
import type { Sample } from '../schema/sample.ts';
import { readDocument } from '../store/read-document.ts';
import { datasetRows, ledgerOf, type SourceAccess } from './build/streamed/derived-rows.ts';

/** The accounts of a dataset. */
export async function readDataset(folder: string): Promise<Dataset> {
  return readDocument(join(folder, 'dataset.json'), dataset);
}

/** Names of the steps, numbered where one stands twice: after steps that change rows, rows are compared once more. */
export function stepLabels(steps: Dataset['steps']): readonly string[] {
  const names = steps.map(({ step }) => step);
  return names.map((name, index) => {
    if (names.indexOf(name) === names.lastIndexOf(name)) return name;
    return `${name} ${names.slice(0, index + 1).filter((other) => other === name).length}`;
  });
}

/** What became of each row, in the order of reading; of one fate where one is given. */
export async function* ledgerRows(
  folder: string,
  ...[access, fate]: [SourceAccess, Fate | undefined]
): AsyncGenerator<LedgerEntry> {
  for await (const entry of ledgerOf(folder, access)) if (fate === undefined || entry.fate === fate) yield entry;
}

export interface RowPlace {
  readonly source: string;
  readonly line: number;
}

/** `rows.jsonl:12` as a source and a line. @throws MartletError `bad-place` */
export function parsePlace(text: string): RowPlace {
  const [, source, line] = /^(.+):([1-9]\d*)$/.exec(text) ?? [];
  if (source !== undefined && line !== undefined) return { source, line: Number(line) };
  throw new MartletError('bad-place', `${JSON.stringify(text)} is not the place of a row`, {
    hint: 'Write a source and a line, such as rows.jsonl:12.',
  });
}

/** Whether a source of a ledger is meant: its whole address, or the end of it from a folder on (`../rows.jsonl` too). */
export function isSource(source: string, given: string): boolean {
  const plain = given.replace(/^(?:[a-z]+:)?(?:\.{1,2}\/)+/, '');
  return source === given || source.replaceAll('\\', '/').endsWith(`/${plain}`);
}

export interface RowStory {
  readonly entry: LedgerEntry;
  /** As it stands in the dataset; null when it does not. */
  readonly sample: Sample | null;
}

/** What became of the row at a place, in each source that the place may mean. */
export async function storiesOf(
  folder: string,
  ...[place, access]: [RowPlace, SourceAccess]
): Promise<readonly RowStory[]> {
  const at = { line: place.line, isMeant: (name: string) => isSource(name, place.source) };
  const entries: LedgerEntry[] = [];
  for await (const entry of ledgerOf(folder, access, at))
    if (
      entry.line === place.line &&
      [entry.source, entry.file].some((name) => name !== undefined && isSource(name, place.source))
    )
      entries.push(entry);
  // By content too: a line of a JSON file may hold several rows.
  const keyOf = (id: string | null, entry: LedgerEntry): string => `${id} ${placeOf(entry)}`;
  const kept = new Map<string, Sample>();
  if (entries.some(({ fate }) => isKept(fate)))
    for await (const sample of datasetRows(folder, access).samples({ at })) {
      const { source, file, line } = sample.provenance;
      const found = entries.find(
        (entry) =>
          entry.id === sample.id && entry.source === source && entry.line === line && (entry.file ?? file) === file,
      );
      if (found) kept.set(keyOf(sample.id, found), sample);
    }
  return entries.map((entry) => ({ entry, sample: kept.get(keyOf(entry.id, entry)) ?? null }));
}

export const isKept = (fate: Fate): boolean => fate === 'train' || fate === 'heldout';

export interface DiffExample {
  readonly place: string;
  readonly text: string;
}

export interface DiffGroup {
  readonly what: 'added' | 'removed' | 'changed' | 'moved';
  /** Such as `train` for a row that is new, or `train → duplicate` for one whose fate is another. */
  readonly fates: string;
  readonly rows: number;
  readonly examples: readonly DiffExample[];
}

export interface DatasetDiff {
  readonly groups: readonly DiffGroup[];
  readonly same: number;
  readonly fates: readonly { readonly fate: Fate; readonly before: number; readonly after: number }[];
}

const shownExamples = 3;

interface Known extends Pick<LedgerEntry, 'fate' | 'id' | 'reason' | 'changes'> {
  readonly place: string;
}

/**
 * What differs between two datasets, raw row by raw row (by the hash of its bytes, so that a line put in before it moves
 * nothing): rows that came and went, rows whose fate is another, rows kept that say something else now. Memory: one entry a
 * row of the first.
 */
export async function diffDatasets(...[before, after, access]: [string, string, SourceAccess]): Promise<DatasetDiff> {
  const known = new Map<string, Known[]>();
  const counts = new Map<Fate, { before: number; after: number }>(fates.map((fate) => [fate, { before: 0, after: 0 }]));
  const count = (fate: Fate, side: 'before' | 'after'): void => {
    const pair = counts.get(fate);
    if (pair) pair[side]++;
  };
  for await (const entry of ledgerOf(before, access)) {
    count(entry.fate, 'before');
    const { fate, id, sha256, reason, changes } = entry;
    const item = { fate, id, reason, changes, place: placeOf(entry) };
    const held = known.get(sha256);
    if (held) held.push(item);
    else known.set(sha256, [item]);
  }
  const groups = new Map<
    string,
    { group: Omit<DiffGroup, 'rows' | 'examples'>; rows: number; examples: DiffExample[] }
  >();
  const add = (group: Omit<DiffGroup, 'rows' | 'examples'>, example: DiffExample): void => {
    const key = `${group.what} ${group.fates}`;
    const found = groups.get(key) ?? { group, rows: 0, examples: [] };
    groups.set(key, found);
    found.rows++;
    if (found.examples.length < shownExamples) found.examples.push(example);
  };
  let same = 0;
  for await (const entry of ledgerOf(after, access)) {
    count(entry.fate, 'after');
    const place = placeOf(entry);
    const was = known.get(entry.sha256)?.shift();
    const text = (was ? whyOther(was, entry) : entry.reason) ?? '';
    if (!was) add({ what: 'added', fates: entry.fate }, { place, text });
    else if (was.fate !== entry.fate) add({ what: 'moved', fates: `${was.fate} → ${entry.fate}` }, { place, text });
    else if (was.id !== entry.id && isKept(entry.fate)) add({ what: 'changed', fates: entry.fate }, { place, text });
    else same++;
  }
  for (const left of known.values())
    for (const { fate, place, reason } of left) add({ what: 'removed', fates: fate }, { place, text: reason ?? '' });
  const order = ['added', 'removed', 'moved', 'changed'];
  return {
    groups: [...groups.values()]
      .map(({ group, rows, examples }) => ({ ...group, rows, examples }))
      .sort((a, b) => order.indexOf(a.what) - order.indexOf(b.what) || b.rows - a.rows),
    same,
    fates: [...counts].flatMap(([fate, pair]) => (pair.before + pair.after > 0 ? [{ fate, ...pair }] : [])),
  };
}

/** Why a row is not what it was: the reason of its end, or of the one it met before; what was done to it now, or then alone. */
function whyOther(was: Known, now: LedgerEntry): string | undefined {
  if (was.fate !== now.fate) return now.reason ?? (was.reason === null ? undefined : `was: ${was.reason}`);
  const only = (changes: readonly string[], others: readonly string[]): string =>
    changes.filter((change) => !others.includes(change)).join('; ');
  const [added, gone] = [only(now.changes, was.changes), only(was.changes, now.changes)];
  return added || (gone && `no longer: ${gone}`);
}

/** Where a row stands: its file where its source has several. */
export const placeOf = ({ source, file, line }: LedgerEntry): string => `${file ?? source}:${line}`;
