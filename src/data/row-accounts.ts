import type { PlanValues } from '../schema/plan.ts';
import { firstSeen } from './first-seen.ts';
import type { OpenedSource } from './sources.ts';
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

const lineRange = 2 ** 40;

/** Remembers where each content first stood: a number a content, and each file once. */
function firstPlaces() {
  const places = firstSeen();
  const files: string[] = [];
  const numbers = new Map<string, number>();
  const numberOf = (file: string): number => {
    const known = numbers.get(file);
    if (known !== undefined) return known;
    numbers.set(file, files.length);
    return files.push(file) - 1;
  };
  return (id: Uint8Array, { file, line }: { readonly file: string; readonly line: number }): string | null => {
    const first = places.seen(id, numberOf(file) * lineRange + line);
    return first === undefined ? null : `${files[Math.floor(first / lineRange)]}:${first % lineRange}`;
  };
}
