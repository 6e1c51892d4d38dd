import type { ModelConfig } from '../spec/train-engine.ts';

/** What is known of the world when a plan is made. Each may be missing: what hangs on it is then `unknown`. */
export interface Facts {
  readonly model?: ModelConfig & { readonly parameters: number };
  /** Rows after the data stage, by side of the split. */
  readonly rows?: { readonly train: number; readonly heldout: number };
  /** Tokens of the rows that are trained on, in one pass: all, learned, and of the longest row. */
  readonly tokens?: { readonly train: number; readonly learned: number; readonly longest: number };
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
  readonly throughput?: { readonly flopsPerSecond: number };
}
