import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { issuesError, MartletError } from '../core/error.ts';
import type { Issue } from '../core/issue.ts';
import { nearestName } from '../core/nearest.ts';
import type { ModelConfig } from '../spec/train-engine.ts';

type RawConfig = Readonly<Record<string, unknown>>;

interface Architecture {
  readonly model_type: string;
  /** What transformers' configuration class assumes where config.json is silent. */
  readonly defaults: Readonly<{
    max_position_embeddings: number;
    bos_token_id: number | null;
    eos_token_id: number | null;
    sliding_window: number | null;
    head_dim: number | null;
  }>;
  /** Biases on q, k and v stand in the architecture, not in config.json. */
  readonly fixedAttentionBias?: boolean;
  readonly qk_norm?: boolean;
}

const noIds = { bos_token_id: null, eos_token_id: null, sliding_window: 4096, head_dim: null };

/** The dense decoder families that differ from Llama by flags only. SmolLM and SmolLM2 are Llama. */
export const architectures: Readonly<Record<string, Architecture>> = {
  LlamaForCausalLM: {
    model_type: 'llama',
    defaults: { max_position_embeddings: 2048, bos_token_id: 1, eos_token_id: 2, sliding_window: null, head_dim: null },
  },
  MistralForCausalLM: {
    model_type: 'mistral',
    defaults: {
      max_position_embeddings: 131072,
      bos_token_id: 1,
      eos_token_id: 2,
      sliding_window: 4096,
      head_dim: null,
    },
    fixedAttentionBias: false,
  },
  Qwen2ForCausalLM: {
    model_type: 'qwen2',
    defaults: { max_position_embeddings: 32768, ...noIds },
    fixedAttentionBias: true,
  },
  Qwen3ForCausalLM: {
    model_type: 'qwen3',
    defaults: { max_position_embeddings: 32768, ...noIds, head_dim: 128 },
    qk_norm: true,
  },
};

/**
 * Reads what decides the computation from `config.json`, and the ids that end an answer also from
 * `generation_config.json`.
 * @throws MartletError `config-missing`, or `invalid-input` with every problem at once
 */
export async function readModelConfig(folder: string): Promise<ModelConfig> {
  const file = join(folder, 'config.json');
  const config = await readJsonObject(file);
  if (!config)
    throw new MartletError('config-missing', `${folder} has no config.json, so it is no model folder`, {
      hint: 'Name a folder in the layout of transformers, a .gguf file or a hub address.',
    });
  const generation = await readJsonObject(join(folder, 'generation_config.json'));
  const { value, issues } = normaliseConfig(config, generation ?? {});
  if (!value) throw issuesError(file, issues);
  return value;
}

/** @returns the parsed file, or undefined when it is not there. */
export async function readJsonObject(file: string): Promise<Record<string, unknown> | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (cause) {
    throw new MartletError('bad-json', `${file} is not JSON: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
  throw new MartletError('bad-json', `${file} does not hold a JSON object`);
}

export function normaliseConfig(
  config: RawConfig,
  generation: RawConfig = {},
): { value?: ModelConfig; issues: readonly Issue[] } {
  const issues: Issue[] = [];
  const report = (key: string, message: string, more: Partial<Issue> = {}): void => {
    issues.push({ code: 'bad-config', severity: 'error', path: [key], message, ...more });
  };
  const count = (key: string, fallback?: number): number => {
    const value = config[key] ?? fallback;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
    report(key, value === undefined ? 'is missing.' : `found ${JSON.stringify(value)}.`, {
      expected: 'a positive whole number',
    });
    return 1;
  };
  const positive = (key: string, value: unknown): number => {
    if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value;
    report(key, `found ${JSON.stringify(value)}.`, { expected: 'a positive number' });
    return 1;
  };
  const flag = (key: string): boolean => {
    const value = config[key] ?? false;
    if (typeof value !== 'boolean') report(key, `found ${JSON.stringify(value)}.`, { expected: 'true or false' });
    return value === true;
  };

  const name = architectureName(config);
  const architecture = name === undefined ? undefined : architectures[name];
  if (name === undefined || !architecture) {
    const nearest = name && nearestName(name, Object.keys(architectures));
    report('architectures', `found ${JSON.stringify(config.architectures ?? config.model_type ?? null)}.`, {
      code: 'unsupported-architecture',
      expected: `one of ${Object.keys(architectures).join(', ')}`,
      ...(nearest ? { fix: `The nearest is ${nearest}.` } : {}),
    });
    return { issues };
  }
  const { defaults } = architecture;

  const activation = config.hidden_act ?? 'silu';
  if (activation !== 'silu' && activation !== 'swish')
    report('hidden_act', `found ${JSON.stringify(activation)}.`, { expected: 'silu' });
  if ((config.partial_rotary_factor ?? 1) !== 1)
    report('partial_rotary_factor', `found ${JSON.stringify(config.partial_rotary_factor)}.`, { expected: '1' });

  const hidden = count('hidden_size');
  const heads = count('num_attention_heads');
  const keyHeads = count('num_key_value_heads', heads);
  if (heads % keyHeads !== 0)
    report('num_key_value_heads', `found ${keyHeads}.`, { expected: `a divisor of num_attention_heads, ${heads}` });
  const headDim = config.head_dim ?? defaults.head_dim ?? hidden / heads;
  if (typeof headDim !== 'number' || !Number.isSafeInteger(headDim) || headDim < 2 || headDim % 2 !== 0)
    report('head_dim', `found ${JSON.stringify(headDim)}.`, { expected: 'an even number, for the rotation' });

  // transformers 5 gathers everything of the rotation in `rope_parameters`.
  const rope = asObject(config.rope_parameters) ?? asObject(config.rope_scaling);
  const ropeType = rope?.rope_type ?? rope?.type ?? 'default';
  const value: ModelConfig = {
    architecture: name,
    model_type: architecture.model_type,
    hidden_size: hidden,
    intermediate_size: count('intermediate_size'),
    num_hidden_layers: count('num_hidden_layers'),
    num_attention_heads: heads,
    num_key_value_heads: keyHeads,
    head_dim: Number(headDim),
    vocab_size: count('vocab_size'),
    max_position_embeddings: count('max_position_embeddings', defaults.max_position_embeddings),
    rms_norm_eps: positive('rms_norm_eps', config.rms_norm_eps ?? 1e-6),
    rope_theta: positive('rope_theta', rope?.rope_theta ?? config.rope_theta ?? 10000),
    rope_scaling: ropeType === 'default' || !rope ? null : { ...rope, rope_type: ropeType },
    tie_word_embeddings: flag('tie_word_embeddings'),
    attention_bias: architecture.fixedAttentionBias ?? flag('attention_bias'),
    mlp_bias: flag('mlp_bias'),
    qk_norm: architecture.qk_norm ?? false,
    sliding_window: slidingWindow(config, architecture, report),
    bos_token_id: tokenIds(config.bos_token_id === undefined ? defaults.bos_token_id : config.bos_token_id)[0] ?? null,
    eos_token_ids: [
      ...new Set([
        ...tokenIds(generation.eos_token_id),
        ...tokenIds(config.eos_token_id === undefined ? defaults.eos_token_id : config.eos_token_id),
      ]),
    ],
  };
  return issues.length > 0 ? { issues } : { value, issues };
}

function architectureName(config: RawConfig): string | undefined {
  const { architectures: names, model_type: type } = config;
  if (Array.isArray(names) && typeof names[0] === 'string') return names[0];
  return Object.keys(architectures).find((name) => architectures[name]?.model_type === type);
}

/** Qwen switches the window on by a flag, and for upper layers only; a window in some layers is not computed here. */
function slidingWindow(
  config: RawConfig,
  architecture: Architecture,
  report: (key: string, message: string, more?: Partial<Issue>) => void,
): number | null {
  const qwen = architecture.model_type.startsWith('qwen');
  if (qwen && config.use_sliding_window !== true) return null;
  const window = config.sliding_window === undefined ? architecture.defaults.sliding_window : config.sliding_window;
  if (window === null || architecture.model_type === 'llama') return null;
  const layers = Number(config.num_hidden_layers);
  const types = Array.isArray(config.layer_types) ? config.layer_types : undefined;
  const full =
    types?.filter((type) => type === 'full_attention').length ?? (qwen ? Number(config.max_window_layers ?? 28) : 0);
  if (full >= layers) return null;
  if (full > 0) report('sliding_window', 'holds for some layers only.', { expected: 'all layers or none' });
  if (typeof window === 'number' && Number.isSafeInteger(window) && window > 0) return window;
  report('sliding_window', `found ${JSON.stringify(window)}.`, { expected: 'a number of tokens, or null' });
  return null;
}

function tokenIds(value: unknown): number[] {
  const list = Array.isArray(value) ? value : [value];
  return list.filter((id): id is number => typeof id === 'number' && Number.isSafeInteger(id) && id >= 0);
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
}
