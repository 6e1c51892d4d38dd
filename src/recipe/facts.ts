import type { BySource } from '../core/forecast.ts';
import type { Issue } from '../core/issue.ts';
import type { LostRows } from '../core/lost-rows.ts';
import type { ModelConfig } from '../spec/train-engine.ts';

/** What is known of the world when a plan is made. Each may be missing: what hangs on it is then `unknown`. */
export interface Facts {
  readonly model?: ModelConfig & { readonly parameters: number };
  /** Rows after the data stage, by side of the split. */
  readonly rows?: {
    readonly train: number;
    readonly heldout: number;
    /** False when only the first rows were read and the rest was judged by its size. */
    readonly exact?: boolean;
    /** Of each source, where the build must come to the same. */
    readonly sources?: BySource<'train' | 'heldout'>;
    /** Steps that have to see all rows before they drop one: what they drop is not known yet. */
    readonly undecided?: readonly string[];
    /** The share that holds out one row, where the one of the recipe holds out none, and its source: of a default, the counts are those with this share. */
    readonly oneRow?: { readonly share: number; readonly source: string };
    /** Sources of which mixing leaves out more than half. */
    readonly unmixed?: readonly { readonly source: string; readonly rows: number; readonly of: number }[];
    /** Columns that steps take and none of the rows has. */
    readonly absent?: readonly Issue[];
    /** What became of the rows that were read, and what is wrong with those that cannot be used. */
    readonly lost?: LostRows;
  };
  /** Tokens of the rows that are trained on, in one pass: all, learned, and of the longest row that becomes a document. */
  readonly tokens?: {
    readonly train: number;
    readonly learned: number;
    readonly longest: number;
    /** Rows that were encoded, where that was not all of them. */
    readonly sampledRows?: number;
    /** Of each source, where every row was encoded. */
    readonly sources?: BySource<'rows' | 'tokens' | 'learned'>;
    /** Rows that become no document, but for those that `render.overflow: refuse` refuses. */
    readonly lost?: number;
    /** Those of the rows encoded that are too long for `render.lengthTokens`. */
    readonly tooLong?: {
      readonly rows: number;
      readonly longest: { readonly place: string; readonly tokens: number };
    };
  };
  readonly machine?: {
    /** Physical cores this process may use. */
    readonly cores: number;
    /** Memory this process may use. */
    readonly memoryGiB: number;
    /** `linux-x64` and so on. */
    readonly platform: string;
    /** A device that computes better than the processor, as a person would name it. */
    readonly accelerator?: string;
  };
  /** Floating-point operations a second, as training on this machine last reached. */
  readonly throughput?: {
    readonly flopsPerSecond: number;
    /** What was measured, such as `run market-brief@1`. */
    readonly from?: string;
  };
}
