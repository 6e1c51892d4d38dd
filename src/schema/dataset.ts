import { z } from 'zod';
import { sha256Hex } from './common.ts';

/** What became of a row. Rows in = the sum of rows out by fate. */
export const fates = ['train', 'heldout', 'filtered', 'duplicate', 'limited', 'invalid', 'embargoed'] as const;

/** One line of `ledger.jsonl`: the story of one row of a source. */
export const ledgerEntry = z
  .strictObject({
    source: z.string().describe('The source as the recipe names it.'),
    line: z.number().int().min(1).describe('The line the row began on.'),
    sha256: sha256Hex.describe('sha-256 of the raw row.'),
    fate: z.enum(fates).describe('What became of it.'),
    id: z.string().nullable().describe('The id of the sample it became; null when it became none.'),
    reason: z.string().nullable().describe('Why, when it was not kept.'),
    changes: z.array(z.string()).describe('What was changed in it.'),
  })
  .describe('The story of one row.');

/** `dataset.json`. Rows stand in `rows.jsonl`, in the order they are trained before shuffling. */
export const dataset = z
  .strictObject({
    schema: z.literal('dataset/1').describe('Document kind and version.'),
    rowsIn: z.number().int().describe('Rows read from all sources.'),
    fates: z.record(z.enum(fates), z.number().int()).describe('Rows by fate; they add up to rowsIn.'),
    formats: z.record(z.string(), z.string()).describe('The format recognised, by source.'),
  })
  .describe('A dataset and its accounts.');

export type Fate = (typeof fates)[number];
export type LedgerEntry = z.infer<typeof ledgerEntry>;
export type Dataset = z.infer<typeof dataset>;
