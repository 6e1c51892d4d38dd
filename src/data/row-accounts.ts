import type { PlanValues } from '../schema/plan.ts';
import { firstSeen } from './first-seen.ts';
import type { OpenedSource } from './opened-source.ts';
import { splitWatch } from './split.ts';

/** What a row ends for because of others. */
export interface RowEnd {
  readonly fate: 'limited' | 'duplicate';
  readonly reason: string;
}

/** What has to be known of a row to say whether others end it. */
export interface AccountedRow {
  /** Whether it became a sample. */
  readonly isKept: boolean;
  /** Whether its source does not take it: then it does not count against the source's limit. */
  readonly isFiltered: boolean;
  /** sha-256 of what it says. */
  readonly id: Uint8Array;
  readonly line: number;
  /** The file it stands in, where its source has several. */
  readonly file?: string | undefined;
}

/** What becomes of rows for the sake of others: limits of sources, and duplicates. Rows must come in their order. */
export interface RowAccounts {
  /** Whether a source has given all the rows it may. */
  isFull(source: number): boolean;
  endOf(source: number, row: AccountedRow): RowEnd | null;
  /** A value of `split.by` that came. */
  sawSplit(value: string): void;
  /** After the last row. @throws MartletError `split-value-unknown` */
  finish(): void;
}

export function rowAccounts(sources: readonly OpenedSource[], split: PlanValues['data']['split']): RowAccounts {
  const taken = sources.map(() => 0);
  const firstOf = firstPlaces();
  const watch = splitWatch(split);
  const limitOf = (source: number): number => sources[source]?.values.limit ?? Number.POSITIVE_INFINITY;
  const isFull = (source: number): boolean => (taken[source] ?? 0) >= limitOf(source);
  return {
    isFull,
    endOf(source, { isKept, isFiltered, id, line, file = sources[source]?.file ?? '' }) {
      if (isFull(source)) return { fate: 'limited', reason: `the source is limited to ${limitOf(source)} rows` };
      if (!isFiltered) taken[source] = (taken[source] ?? 0) + 1;
      const first = isKept ? firstOf(id, { file, line }) : null;
      return first === null ? null : { fate: 'duplicate', reason: `the same content as ${first}` };
    },
    sawSplit: watch.saw,
    finish: watch.finish,
  };
}

/** Remembers where each content, by 16 bytes or more of its hash, first stood. */
export function firstPlaces() {
  const contents = firstSeen();
  const places = openPlaces();
  return (id: Uint8Array, place: Place): string | null => {
    const first = contents.seen(id, places.add(place));
    if (first === undefined) return null;
    const { file, line } = places.at(first);
    return `${file}:${line}`;
  };
}

interface Place {
  readonly file: string;
  readonly line: number;
}

const blockRows = 4096;

/** Numbered places. Memory: an entry for each run of rows of a file on lines that follow one another. */
export function openPlaces() {
  const blocks: { readonly file: string; readonly runs: { readonly at: number; readonly line: number }[] }[] = [];
  /** Of each file the block its rows go into, since sources may take turns. */
  const open = new Map<string, { block: number; used: number; nextLine: number }>();
  return {
    add({ file, line }: Place): number {
      let state = open.get(file);
      if (!state || state.used === blockRows) {
        state = { block: blocks.push({ file, runs: [] }) - 1, used: 0, nextLine: -1 };
        open.set(file, state);
      }
      if (line !== state.nextLine) blocks[state.block]?.runs.push({ at: state.used, line });
      state.nextLine = line + 1;
      return state.block * blockRows + state.used++;
    },
    at(number: number): Place {
      const { file, runs } = blocks[Math.floor(number / blockRows)] ?? { file: '', runs: [] };
      const at = number % blockRows;
      const run = runs.findLast((each) => each.at <= at) ?? { at: 0, line: 0 };
      return { file, line: run.line + at - run.at };
    },
  };
}
