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

/**
 * Whether a source of a ledger is meant: its whole address, or the end of it from a folder on (`../rows.jsonl` too), as the
 * recipe may write it (`sqlite:news.db`).
 */
export function isSource(source: string, given: string): boolean {
  const [, scheme = '', plain = given] = /^([a-z]{2,}:)?(?:\.{1,2}\/)*(.*)$/s.exec(given) ?? [];
  return source === given || (source.startsWith(scheme) && source.replaceAll('\\', '/').endsWith(`/${plain}`));
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
  /** `edited`: at its line stands another row now. */
  readonly what: 'added' | 'removed' | 'edited' | 'changed' | 'moved';
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

/** An example, and the ids of rows whose text it is to show, where they were kept. */
interface OpenExample extends DiffExample {
  readonly before?: string | null | undefined;
  readonly after?: string | null | undefined;
}

interface Known extends Pick<LedgerEntry, 'fate' | 'id' | 'reason' | 'changes'> {
  readonly place: string;
}

/**
 * What differs between two datasets, raw row by raw row (by the hash of its bytes, so that a line put in before it moves
 * nothing): rows that came and went, rows that were edited where they stand, rows whose fate is another, rows kept that say
 * something else now. Memory: one entry a row of the first, and of those that came.
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
    { group: Omit<DiffGroup, 'rows' | 'examples'>; rows: number; examples: OpenExample[] }
  >();
  const add = (group: Omit<DiffGroup, 'rows' | 'examples'>, example: OpenExample): void => {
    const key = `${group.what} ${group.fates}`;
    const found = groups.get(key) ?? { group, rows: 0, examples: [] };
    groups.set(key, found);
    found.rows++;
    if (found.examples.length < shownExamples) found.examples.push(example);
  };
  let same = 0;
  const came: Known[] = [];
  for await (const entry of ledgerOf(after, access)) {
    count(entry.fate, 'after');
    const place = placeOf(entry);
    const was = known.get(entry.sha256)?.shift();
    if (!was) {
      const { fate, id, reason, changes } = entry;
      came.push({ fate, id, reason, changes, place });
      continue;
    }
    const text = whyOther(was, entry) ?? '';
    if (was.fate !== entry.fate) add({ what: 'moved', fates: `${was.fate} → ${entry.fate}` }, { place, text });
    else if (was.id !== entry.id && isKept(entry.fate)) add({ what: 'changed', fates: entry.fate }, { place, text });
    else same++;
  }
  const went = Map.groupBy([...known.values()].flat(), ({ place }) => place);
  const textId = ({ fate, id }: Known): string | null => (isKept(fate) ? id : null);
  for (const row of came) {
    const { place, fate, reason } = row;
    const was = went.get(place)?.shift();
    const text = reason ?? '';
    if (!was) add({ what: 'added', fates: fate }, { place, text, after: textId(row) });
    else {
      const fates = was.fate === fate ? fate : `${was.fate} → ${fate}`;
      add({ what: 'edited', fates }, { place, text, before: textId(was), after: textId(row) });
    }
  }
  for (const left of went.values())
    for (const row of left)
      add({ what: 'removed', fates: row.fate }, { place: row.place, text: row.reason ?? '', before: textId(row) });
  const open = [...groups.values()].flatMap(({ examples }) => examples);
  const textsBefore = await textsOf(before, access, new Set(open.flatMap((example) => example.before ?? [])));
  const textsAfter = await textsOf(after, access, new Set(open.flatMap((example) => example.after ?? [])));
  const told = ({ place, text, before: was, after: is }: OpenExample): DiffExample => {
    const said = difference(textsBefore.get(was ?? ''), textsAfter.get(is ?? ''));
    return { place, text: [text, said].filter(Boolean).join('  ') };
  };
  const order = ['added', 'removed', 'edited', 'moved', 'changed'];
  return {
    groups: [...groups.values()]
      .map(({ group, rows, examples }) => ({ ...group, rows, examples: examples.map(told) }))
      .sort((a, b) => order.indexOf(a.what) - order.indexOf(b.what) || b.rows - a.rows),
    same,
    fates: [...counts].flatMap(([fate, pair]) => (pair.before + pair.after > 0 ? [{ fate, ...pair }] : [])),
  };
}

/** What rows say, by id. */
async function textsOf(
  folder: string,
  ...[access, ids]: [SourceAccess, ReadonlySet<string>]
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  if (ids.size === 0) return found;
  for await (const { id, messages } of datasetRows(folder, access).samples()) {
    if (!ids.has(id)) continue;
    found.set(id, messages.map(({ content }) => saidIn(content)).join(' | '));
    if (found.size === ids.size) break;
  }
  return found;
}

const saidIn = (content: Sample['messages'][number]['content']): string =>
  typeof content === 'string' ? content : (content ?? []).map((part) => ('text' in part ? part.text : '')).join('');

const shownText = 72;
/** Characters in front of the first one that differs. */
const shownBefore = 12;

/** The beginning of a text; of two, from where they part. */
function difference(was: string | undefined, is: string | undefined): string {
  const cut = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
  if (was === undefined || is === undefined) return cut(is ?? was ?? '', shownText);
  let same = 0;
  while (same < was.length && was[same] === is[same]) same++;
  const from = Math.max(0, same - shownBefore);
  const side = (text: string): string => cut(`${from > 0 ? '…' : ''}${text.slice(from)}`, shownText / 2);
  return `${side(was)} → ${side(is)}`;
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
