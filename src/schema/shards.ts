import { z } from 'zod';
import { sha256Hex } from './common.ts';

export const shardSplits = ['train', 'heldout'] as const;

/**
 * `shards.json`. Beside it, for each split, little-endian and aligned so that every engine can map them:
 * - `<split>.ids.u32`       token ids of all documents, one after the other
 * - `<split>.weights.f32`   for each token, how strongly it is learned (0: context only)
 * - `<split>.documents.u32` four numbers a document: index in `<split>.rows.jsonl`, first token, length in tokens, group
 *   (documents of one row, such as a chosen and a rejected answer, share a group)
 * - `<split>.rows.jsonl`    `{id, source, file, line, sha256}` of each row, in document order
 * - `<split>.schedule.u32`  documents in the order they are trained; `<split>.packs.u32`: where each pack ends in it;
 *   `<split>.steps.u32`: where each step ends in packs. Held-out documents have a schedule too: packs, one step.
 */
export const shards = z
  .strictObject({
    schema: z.literal('shards/1').describe('Document kind and version.'),
    layout: z
      .enum(['sequence', 'pair'])
      .describe("What the method's rows look like: one document, or a preferred and a rejected one."),
    packTokens: z.number().int().describe('Most tokens of a pack.'),
    lengthTokens: z.number().int().describe('Longest document allowed.'),
    epochs: z.number().describe('Passes the schedule covers.'),
    tokenizer: sha256Hex.describe('Fingerprint of the tokenizer.'),
    template: sha256Hex.describe('Fingerprint of the chat template.'),
    stopTokens: z.array(z.number().int()).describe('Token ids a generation ends at.'),
    splits: z
      .record(
        z.enum(shardSplits),
        z.strictObject({
          rows: z.number().int().describe('Rows that became documents.'),
          documents: z.number().int().describe('Documents.'),
          tokens: z.number().int().describe('Tokens.'),
          learnedTokens: z.number().int().describe('Tokens with a weight above 0.'),
          longestTokens: z.number().int().describe('The longest document.'),
          packs: z.number().int().describe('Packs over all epochs.'),
          steps: z.number().int().describe('Steps over all epochs.'),
        }),
      )
      .describe('Counts by split.'),
    lost: z
      .array(
        z.strictObject({
          id: z.string().describe('The sample.'),
          fate: z.enum(['too-long', 'no-supervision', 'not-rendered']).describe('What became of it.'),
          reason: z.string().describe('Why.'),
        }),
      )
      .describe('Samples that became no document.'),
    truncated: z.number().int().describe('Rows cut to length.'),
    split: z.number().int().describe('Rows that became several documents, because the template rewrites them.'),
  })
  .describe('Token shards and the order they are trained in.');

export const shardRow = z
  .strictObject({
    id: z.string().describe('The sample.'),
    source: z.string().describe('Its source.'),
    file: z.string().describe('Its file.'),
    line: z.number().int().describe('Its line.'),
    sha256: sha256Hex.describe('sha-256 of the raw row.'),
  })
  .describe('Where a document came from.');

export type ShardSplit = (typeof shardSplits)[number];
export type Shards = z.infer<typeof shards>;
export type ShardRow = z.infer<typeof shardRow>;
