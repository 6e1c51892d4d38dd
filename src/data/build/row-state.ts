import type { Lacks } from '../steps/lacking-columns.ts';
import type { Drop } from '../steps/step.ts';

/** Where a row has come to. */
export interface RowState {
  end: { readonly step: number; readonly drop: Drop } | null;
  /** By the steps after reading. */
  readonly changes: string[];
  line: Buffer | null;
  id: string | null;
  truncated: boolean;
  readonly changedAt: number[];
  readonly truncatedAt: number[];
  readonly lacks: { readonly step: number; readonly lacks: Lacks }[];
}
