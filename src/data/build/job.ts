import type { OpenedSource } from '../opened-source.ts';
import type { rowReader } from '../read-sources.ts';
import type { OpenedStep } from '../steps/open-steps.ts';
import type { ReadResult } from './read-part.ts';

export interface JobResult {
  readonly rows: number;
  /** Rows that ended at these steps. */
  readonly dropped: Uint32Array;
  /** What was done because the cache did not hold it: 0 for reading, steps from 1. */
  readonly done: readonly number[];
  /** Null of a job that read nothing. */
  readonly read: ReadResult | null;
  /** Of a derive job. */
  readonly made?: MadeBatch;
}

/** What jobs are done with. */
export interface WorkContext {
  readonly sources: readonly OpenedSource[];
  readonly steps: readonly OpenedStep[];
  readonly read: ReturnType<typeof rowReader>;
  readonly today: string;
}

/** A batch as it crosses from a thread. */
export interface MadeBatch {
  readonly part: Uint8Array;
  /** Of the steps, up to the first that looks at all rows and has not decided yet. */
  readonly deltas: readonly Uint8Array[];
  /** What that step wants of each row; null where all have decided. */
  readonly feature: Uint8Array | null;
}
