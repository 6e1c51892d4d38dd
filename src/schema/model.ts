import { z } from 'zod';
import { sha256Hex } from './common.ts';
import { exportFormats } from './recipe.ts';

export const certificate = z
  .strictObject({
    schema: z.literal('certificate/1').describe('Document kind and version.'),
    format: z.enum(exportFormats).describe('The export.'),
    rows: z.array(z.string()).describe('The held-out samples compared.'),
    maxLogitDifference: z.number().describe('Largest absolute difference of a logit, before against after.'),
    meanLogitDifference: z.number().describe('Mean absolute difference.'),
    tolerance: z.number().describe('What was allowed.'),
    greedyAnswersEqual: z.number().int().describe('Greedy answers that agree, token for token.'),
    reader: z.string().describe('What read the export back.'),
    passed: z.boolean().describe('Whether it is within tolerance.'),
  })
  .describe('Proof that an export is what was trained.');

/** `model.json`. Exports stand in `adapter/`, `safetensors/` and `gguf/`, each with `certificate.json`. */
export const model = z
  .strictObject({
    schema: z.literal('model/1').describe('Document kind and version.'),
    base: z.string().describe('Folder of the base model.'),
    baseAddress: z.string().describe('Its address.'),
    baseFingerprint: sha256Hex.describe('What it was.'),
    run: z.string().describe('The run.'),
    checkpoint: z.string().describe('The checkpoint inside it.'),
    planHash: sha256Hex.describe('The plan.'),
    formats: z.array(z.enum(exportFormats)).describe('What was written.'),
  })
  .describe('An exported model.');

/** `model.json` in the cache of base models: what was pulled or imported. */
export const baseModel = z
  .strictObject({
    schema: z.literal('base-model/1').describe('Document kind and version.'),
    address: z.string().describe('What was asked for.'),
    fingerprint: sha256Hex.describe('Over all files.'),
    architecture: z.string().describe('As config.json names it.'),
    parameters: z.number().int().describe('Numbers in its tensors.'),
    dtype: z.string().describe('The commonest dtype, as stored.'),
    licence: z.string().nullable().describe('Its licence, where known.'),
    files: z.record(z.string(), sha256Hex).describe('sha-256 of every file.'),
  })
  .describe('A base model in the cache.');

export type Certificate = z.infer<typeof certificate>;
export type Model = z.infer<typeof model>;
export type BaseModel = z.infer<typeof baseModel>;
