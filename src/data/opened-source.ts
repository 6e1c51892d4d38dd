import type { PlanValues } from '../schema/plan.ts';
import type { RawRow } from '../store/raw-rows.ts';
import type { RowFormat } from './formats.ts';

export type DataValues = PlanValues['data'];
export type SourceValues = DataValues['sources'][number];

/** A source that is there, and how its rows are written. */
export interface OpenedSource {
  readonly values: SourceValues;
  /** Its file; of a source of several, what the recipe calls it. */
  readonly file: string;
  readonly format: RowFormat;
  /** Rows drawn from it; null for all. */
  readonly sample: number | null;
  /** Its rows in order; `share`: only those of this first share of each of its files, and none left out. */
  rows(options: {
    readonly signal?: AbortSignal | undefined;
    readonly share?: number | undefined;
  }): AsyncIterable<RawRow>;
  /** What is known of it without reading its rows: bytes of files, rows where each part states them. */
  extent(): Promise<{ readonly bytes: number; readonly rows: number | null }>;
}
