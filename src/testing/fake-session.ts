import { MartletError } from '../core/error.ts';
import type { EvaluateResult, GenerateRequest, ModelConfig, TrainSession } from '../spec/train-engine.ts';

export interface FakeSessionOptions {
  /** The ids a prompt is answered with. */
  readonly answer?: (prompt: readonly number[], base: boolean) => readonly number[];
  /** Loss of each held-out document, by model, and its learned tokens. */
  readonly documents?: {
    readonly base: readonly number[];
    readonly tuned: readonly number[];
    readonly tokens: readonly number[];
  };
  readonly planHash?: string;
}

export interface FakeSession extends TrainSession {
  /** Every generation asked for, in order. */
  readonly generated: readonly GenerateRequest[];
  readonly disposed: boolean;
}

/**
 * A session that computes nothing: answers and losses are what the test says. Training steps and weights are not its
 * business; asked for them, it throws `fake-session`.
 */
export function fakeSession(options: FakeSessionOptions = {}): FakeSession {
  const generated: GenerateRequest[] = [];
  let disposed = false;
  const refuse = (what: string) => (): never => {
    throw new MartletError('fake-session', `a fake session cannot ${what}`);
  };
  return {
    generated,
    get disposed() {
      return disposed;
    },
    prepare: async () => {},
    load: async () => ({
      planHash: options.planHash ?? '0'.repeat(64),
      trainableParameters: 0,
      config: fakeModelConfig,
    }),
    async evaluate({ base = false }): Promise<EvaluateResult> {
      const { documents } = options;
      if (!documents) return refuse('evaluate without documents')();
      const losses = Float64Array.from(base ? documents.base : documents.tuned);
      const learnedTokens = documents.tokens.reduce((sum, tokens) => sum + tokens, 0);
      return {
        loss: losses.reduce((sum, loss) => sum + loss, 0) / learnedTokens,
        learnedTokens,
        documents: losses,
        seconds: 0,
      };
    },
    async generate(request) {
      generated.push(request);
      const { maxTokens } = request.sampling;
      const completions = request.prompts.map((prompt) => {
        const ids = options.answer?.(prompt, request.base ?? false) ?? [];
        return ids.length > maxTokens
          ? { ids: ids.slice(0, maxTokens), finishReason: 'length' as const }
          : { ids, finishReason: 'stop' as const };
      });
      return { completions, seconds: 0 };
    },
    step: refuse('train'),
    score: refuse('score'),
    save: refuse('save weights'),
    gradients: refuse('give gradients'),
    async [Symbol.asyncDispose]() {
      disposed = true;
    },
  };
}

/** Sizes of a model too small to mean anything. */
export const fakeModelConfig: ModelConfig = {
  architecture: 'LlamaForCausalLM',
  model_type: 'llama',
  hidden_size: 8,
  intermediate_size: 16,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 4,
  vocab_size: 32,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
  rope_scaling: null,
  tie_word_embeddings: true,
  attention_bias: false,
  mlp_bias: false,
  qk_norm: false,
  sliding_window: null,
  bos_token_id: null,
  eos_token_ids: [0],
};
