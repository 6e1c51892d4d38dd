import { z } from 'zod';
import { sha256Hex } from './common.ts';

/**
 * `checkpoint.json` in `checkpoints/step-<n>/`. Beside it: the adapter in PEFT's format (`adapter_config.json`,
 * `adapter_model.safetensors`) or the full weights (`config.json`, `model.safetensors`), and `optimizer.safetensors`.
 * Random numbers and data order are functions of (seed, step), so the step is all the cursor there is.
 */
export const checkpoint = z
  .strictObject({
    schema: z.literal('checkpoint/1').describe('Document kind and version.'),
    step: z.number().int().describe('Steps finished.'),
    planHash: sha256Hex.describe('The plan it belongs to.'),
    adapter: z.enum(['lora', 'full']).describe('What was trained.'),
    files: z.record(z.string(), sha256Hex).describe('sha-256 of every other file.'),
  })
  .describe('A checkpoint.');

/** `run.json`: what a run is; its course stands in `events.jsonl`. */
export const run = z
  .strictObject({
    schema: z.literal('run/1').describe('Document kind and version.'),
    planHash: sha256Hex.describe('The plan.'),
    base: z.string().describe('Folder of the base model.'),
    baseFingerprint: sha256Hex.describe('What it was.'),
    shards: z.string().describe('Address of the shards.'),
    plan: z.string().describe('Address of the plan.'),
  })
  .describe('A run.');

export type Checkpoint = z.infer<typeof checkpoint>;
export type Run = z.infer<typeof run>;
