import type { Sampling } from './train-engine.ts';

/** What answers: the embedded engine, vLLM, any OpenAI-compatible server ... The gateway speaks to nothing else. */
export interface Engine extends AsyncDisposable {
  readonly name: string;
  readonly version: string;
  /** Names that requests may use. */
  readonly models: readonly string[];
  /**
   * Streams one answer. Requests that run at the same time share batches.
   * Aborting the signal frees the slot at the next token.
   */
  generate(request: EngineRequest): AsyncIterable<EngineToken>;
  health(): Promise<{ readonly ready: boolean; readonly active: number; readonly waiting: number }>;
}

export interface EngineRequest {
  readonly model: string;
  readonly prompt: readonly number[];
  readonly sampling: Sampling;
  /** How many of the likeliest tokens to report with each token; null for none and no log-probabilities. */
  readonly topLogProbabilities: number | null;
  readonly signal?: AbortSignal;
}

export interface EngineToken {
  readonly id: number;
  /** Natural logarithm, under the model before temperature and cuts; null when not asked for. */
  readonly logProbability: number | null;
  readonly top: readonly { readonly id: number; readonly logProbability: number }[];
  /** Set on the last token. A stop token is reported, and is no part of the answer. */
  readonly finishReason: 'stop' | 'length' | null;
}
