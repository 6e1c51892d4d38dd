import type { Plan, PlanValues } from '../schema/plan.ts';
import type { ShardSplit } from '../schema/shards.ts';

/**
 * What trains. The loop (`train/loop.ts`) owns steps, schedule, events and checkpoints; an engine owns tensors, lives in
 * a process of its own and answers one message at a time. Everything that crosses is plain data and file paths.
 */
export interface TrainEngine {
  readonly name: 'embedded' | 'torch';
  readonly version: string;
  /** Whether this engine can carry out such a plan on such a model; a reason for each thing it cannot. */
  unsupported(values: PlanValues, config: ModelConfig): readonly string[];
  /** Starts the process; what keeps it from getting ready is told by the first call. Nothing is loaded yet; how many threads it computes with, the plan says that is loaded. Once `signal` is aborted the process is ended: what was asked of it fails with `engine-stopped`. */
  start(options: { readonly signal?: AbortSignal | undefined }): Promise<TrainSession>;
}

export interface TrainSession extends AsyncDisposable {
  /** Hints of what `load` will ask for, so that the engine can get ready meanwhile. It returns at once and binds to nothing. */
  prepare(request: PrepareRequest): Promise<void>;
  load(request: LoadRequest): Promise<LoadResult>;
  /** Computes the gradient of one step of the shards' schedule and applies it. */
  step(request: StepRequest): Promise<StepResult>;
  /** The method's loss over a split; nothing is changed. */
  evaluate(request: EvaluateRequest): Promise<EvaluateResult>;
  generate(request: GenerateRequest): Promise<GenerateResult>;
  /** Log-probabilities and, where asked, logits of given token ids. */
  score(request: ScoreRequest): Promise<ScoreResult>;
  /** Writes weights and optimiser state into a folder that exists and is empty. */
  save(request: { readonly folder: string }): Promise<void>;
  /** Gives each trained tensor's last gradient; for tests and diagnosis. */
  gradients(): Promise<Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>>;
}

export interface PrepareRequest {
  readonly baseFolder: string;
  /** The plan it will be trained by, once that is known. */
  readonly planFile?: string;
}

export interface LoadRequest {
  readonly planFile: string;
  /** Folder with config.json, *.safetensors and tokenizer.json. */
  readonly baseFolder: string;
  /** Null when only generating and scoring. */
  readonly shardsFolder: string | null;
  /** A checkpoint to continue from (weights and optimiser), or an adapter to answer with. */
  readonly checkpointFolder: string | null;
  /** `inference` leaves out gradients and optimiser. */
  readonly purpose: 'training' | 'inference';
}

export interface LoadResult {
  /** Computed by the engine from the plan file it read; a mismatch stops step 0. */
  readonly planHash: Plan['hash'];
  readonly trainableParameters: number;
  readonly config: ModelConfig;
}

export interface StepRequest {
  /** Counted from 0. */
  readonly step: number;
  readonly learningRate: number;
  /** Where the step's tokens are, when the shards that were loaded are streamed. */
  readonly window?: StepWindow;
}

/** Shards that hold some steps of the schedule. They are removed once steps of another window are asked for. */
export interface StepWindow {
  readonly folder: string;
  /** Which step of the whole schedule is its first. */
  readonly firstStep: number;
}

export interface StepResult {
  readonly loss: number;
  readonly gradientNorm: number;
  readonly tokens: number;
  readonly learnedTokens: number;
  readonly rows: number;
  readonly seconds: number;
  readonly memoryBytes: number;
  readonly metrics: Readonly<Record<string, number>>;
}

export interface EvaluateRequest {
  readonly split: ShardSplit;
  /** Answer as the base would: the adapter is left out. */
  readonly base?: boolean;
}

export interface EvaluateResult {
  /** Mean negative log-likelihood over learned tokens, in nats, weighted by token weight. */
  readonly loss: number;
  readonly learnedTokens: number;
  /** Sum of weighted negative log-likelihood by document, in split order. */
  readonly documents: Float64Array;
  readonly seconds: number;
}

export interface Sampling {
  /** 0 is greedy. */
  readonly temperature: number;
  readonly topP: number;
  /** 0 for no limit. */
  readonly topK: number;
  readonly seed: number;
  readonly maxTokens: number;
  readonly stopTokens: readonly number[];
}

export interface GenerateRequest {
  readonly prompts: readonly (readonly number[])[];
  readonly sampling: Sampling;
  readonly base?: boolean;
}

export interface GenerateResult {
  /** Without the stop token. */
  readonly completions: readonly { readonly ids: readonly number[]; readonly finishReason: 'stop' | 'length' }[];
  readonly seconds: number;
}

export interface ScoreRequest {
  readonly sequences: readonly (readonly number[])[];
  readonly base?: boolean;
  /** Give logits of every position, `[length, vocabulary]` row by row, not only log-probabilities. */
  readonly logits?: boolean;
}

export interface ScoreResult {
  readonly sequences: readonly {
    /** log p(token i | tokens before), for i >= 1; position 0 holds 0. */
    readonly logProbabilities: Float32Array;
    readonly logits: Float32Array | null;
  }[];
}

/** The part of config.json that decides what is computed, under transformers' names. */
export interface ModelConfig {
  readonly architecture: string;
  readonly model_type: string;
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
  readonly head_dim: number;
  readonly vocab_size: number;
  readonly max_position_embeddings: number;
  readonly rms_norm_eps: number;
  readonly rope_theta: number;
  readonly rope_scaling: Readonly<Record<string, unknown>> | null;
  readonly tie_word_embeddings: boolean;
  readonly attention_bias: boolean;
  readonly mlp_bias: boolean;
  /** Qwen3: q and k are normalised per head. */
  readonly qk_norm: boolean;
  /** Tokens an attention window reaches back; null for all. */
  readonly sliding_window: number | null;
  readonly bos_token_id: number | null;
  readonly eos_token_ids: readonly number[];
}
