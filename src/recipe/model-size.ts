import type { loraModules } from '../schema/recipe.ts';
import type { ModelConfig } from '../spec/train-engine.ts';

export type LoraModule = (typeof loraModules)[number];

/** Columns and rows of a linear layer's weight: it maps `input` numbers to `output` numbers. */
export interface LinearShape {
  readonly input: number;
  readonly output: number;
}

/** The linear layers of one decoder layer of a dense Llama-like model. */
export function linearShapes(config: ModelConfig): Readonly<Record<LoraModule, LinearShape>> {
  const hidden = config.hidden_size;
  const queries = config.num_attention_heads * config.head_dim;
  const keys = config.num_key_value_heads * config.head_dim;
  const inner = config.intermediate_size;
  return {
    q_proj: { input: hidden, output: queries },
    k_proj: { input: hidden, output: keys },
    v_proj: { input: hidden, output: keys },
    o_proj: { input: queries, output: hidden },
    gate_proj: { input: hidden, output: inner },
    up_proj: { input: hidden, output: inner },
    down_proj: { input: inner, output: hidden },
  };
}

/** Numbers in the linear layers of all decoder layers. */
export function linearParameters(config: ModelConfig): number {
  return sum(Object.values(linearShapes(config)).map(({ input, output }) => input * output)) * config.num_hidden_layers;
}

/** Numbers in LoRA's A `[rank, input]` and B `[output, rank]`, over all layers and targets. */
export function loraParameters(config: ModelConfig, lora: { rank: number; targets: readonly LoraModule[] }): number {
  const shapes = linearShapes(config);
  const widths = [...new Set(lora.targets)].map((target) => shapes[target].input + shapes[target].output);
  return sum(widths) * lora.rank * config.num_hidden_layers;
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
