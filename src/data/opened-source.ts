import type { PlanValues } from '../schema/plan.ts';
import type { RawRow } from '../store/rows/raw-rows.ts';
import type { RowFormat } from './formats.ts';

export type DataValues = PlanValues['data'];
export type SourceValues = DataValues['sources'][number];

/** How far rows have been read: so many of a file, and all of those before it. */
export interface SourcePlace {
  /** Index of the source. */
  readonly source: number;
  /** Where the source has several. */
  readonly file: string | undefined;
  readonly rows: number;
}

export interface RowsOptions {
  readonly signal?: AbortSignal | undefined;
  readonly share?: number | undefined;
  /** Where none is drawn. */
  readonly after?: SourcePlace | undefined;
}

/** A source that is there, and how its rows are written. */
export interface OpenedSource {
  readonly values: SourceValues;
  /** Its file; of a source of several, what the recipe calls it. */
  readonly file: string;
  readonly format: RowFormat;
  /** Rows drawn from it; null for all. */
  readonly sample: number | null;
  /** Its rows in order; `share`: only those of this first share of each of its files, and none left out; `after`: only those behind it. */
  rows(options: RowsOptions): AsyncIterable<RawRow>;
  /** What is known of it without reading its rows: bytes of files, rows where each part states them. */
  extent(): Promise<{ readonly bytes: number; readonly rows: number | null }>;
}
