import type { z } from 'zod';
import type { Fate } from '../../schema/fates.ts';
import type { Sample } from '../../schema/sample.ts';
import type { Lacks } from './lacking-columns.ts';

/** Why a row ends at a step. Reasons with one code are counted together. */
export interface Drop {
  readonly fate: Extract<Fate, 'filtered' | 'duplicate' | 'contaminated' | 'limited' | 'invalid'>;
  /** Kebab-case, such as `too-long`. */
  readonly code: string;
  readonly reason: string;
}

/** What a step did to one row. */
export interface RowVerdict {
  /** The row as it is now; absent when it stayed as it was. */
  readonly sample?: Sample;
  /** What was done, for people: each change by itself. */
  readonly changes?: readonly string[];
  readonly drop?: Drop;
  /** Text was lost to a limit. */
  readonly truncated?: true;
  /** Columns that the step was told to take and the row has not. */
  readonly lacks?: Lacks;
}

/** A step that looks at one row at a time, and so may run in any order and in several threads. */
export interface RowStep {
  readonly kind: 'rows';
  /** Null for a row it leaves alone. A pure function of the row. */
  apply(sample: Sample): RowVerdict | null;
}

/** The rows that reach a step, in the order of their sources. */
export interface WholeRows {
  readonly count: number;
  /** The address of the source as the recipe names it. */
  source(row: number): string;
  /** Where a row stands, for people. */
  place(row: number): string;
  /** What `feature` wrote for a row: a view that holds until the next call. */
  feature(row: number): Uint8Array;
}

/** A step that looks at all rows together, by a few bytes of each. */
export interface WholeStep {
  readonly kind: 'whole';
  /** Length of what `feature` writes; 0 without one. */
  readonly featureBytes: number;
  feature?(sample: Sample, into: Uint8Array): void;
  /** Rows to be dropped, in rising order, or a new order of all rows. */
  decide(rows: WholeRows): WholeVerdict;
  /**
   * The same drops, told of each row as it comes: for facts, which are had in one reading. Absent where a later row may
   * decide about an earlier one.
   */
  readonly asTheyCome?: () => RowStep['apply'];
}

export interface WholeVerdict {
  readonly drops: Iterable<readonly [row: number, drop: Drop]>;
  /** For each row a number; rows are written in rising order of it. */
  readonly order?: Uint32Array;
}

export type OpenStep = (RowStep | WholeStep) & {
  /** What it was opened with, for people, such as what it compares rows with: told once for all rows. */
  readonly notes?: readonly string[];
};

export interface StepDefinition<Options = unknown> {
  readonly name: string;
  /** Raised when the same options give other results. */
  readonly version: number;
  readonly options: z.ZodType<Options>;
  /** Files that the result hangs on beside the rows. */
  readonly reads?: (options: Options) => readonly string[];
  /** Called once in each thread. */
  readonly open: (options: Options) => OpenStep | Promise<OpenStep>;
}

/** Types a step; its options are inferred from their schema. */
export function defineStep<Options>(definition: StepDefinition<Options>): StepDefinition<Options> {
  return definition;
}
