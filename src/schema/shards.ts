import { z } from 'zod';
import { sha256Hex } from './common.ts';
import { packings } from './recipe.ts';

export const shardSplits = ['train', 'heldout'] as const;

/**
 * `shards.json`. Beside it, for each split, little-endian and aligned so that every engine can map them:
 * - `<split>.ids.u32`       token ids of all documents, one after the other
 * - `<split>.weights.f32`   for each token, how strongly it is learned (0: context only)
 * - `<split>.documents.u32` four numbers a document: index in `<split>.rows.u32`, first token, length in tokens, group
 *   (documents of one row, such as a chosen and a rejected answer, share a group)
 * - `<split>.prompts.u32`   layouts `pair` and `group` only: two numbers a document: first token and length of the prompt
 *   that it continues, which the documents of a group share and which is stored once. Length 0: none.
 * - `<split>.rows.u32`      nine numbers a row, in document order: the id of its sample, which is 32 bytes in the order in
 *   which hex writes them, as eight; then how many tokens were cut off it. Where it stands, the dataset says.
 * - `train.lines.u64`         streamed shards only: two numbers a row: first byte and length of its line in the dataset's
 *   `rows.jsonl`. The tokens of training rows are then made of these lines, a window of steps at a time: the files of ids
 *   and weights are empty, and first tokens are 0.
 * - `<split>.schedule.u32`  documents in the order they are trained; `<split>.packs.u32`: where each pack ends in it;
 *   `<split>.steps.u32`: where each step ends in packs. Held-out documents have a schedule too: packs, one step.
 */
export const shards = z
  .strictObject({
    schema: z.literal('shards/4').describe('Document kind and version.'),
    layout: z
      .enum(['sequence', 'pair', 'group'])
      .describe("What the method's rows look like: one document, a preferred and a rejected one, or several answers."),
    packTokens: z.number().int().describe('Most tokens of a pack.'),
    packing: z.enum(packings).describe('How the rows of a step were put into packs.'),
    lengthTokens: z.number().int().describe('Longest document allowed.'),
    epochs: z.number().describe('Passes the schedule covers.'),
    streamed: z.boolean().describe('Whether tokens of training rows are made while training, and not kept.'),
    day: z.iso.date().describe('The day that templates were told.'),
    tokenizer: sha256Hex.describe('Fingerprint of the tokenizer.'),
    template: sha256Hex.describe('Fingerprint of the chat template.'),
    recipe: sha256Hex.describe('Fingerprint of the part of the recipe that decides the tokens.'),
    code: z.string().describe('What wrote them: Martlet with its version, and the version of its way to encode.'),
    stopTokens: z.array(z.number().int()).describe('Token ids a generation ends at.'),
    splits: z
      .record(
        z.enum(shardSplits),
        z.strictObject({
          rows: z.number().int().describe('Rows that became documents.'),
          documents: z.number().int().describe('Documents.'),
          tokens: z.number().int().describe('Tokens of all documents, each with its whole prompt.'),
          storedTokens: z.number().int().describe('Tokens in the files, where a shared prompt stands once.'),
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
          place: z
            .string()
            .optional()
            .describe('Where it stands, `file:line`; absent in shards of before it was noted.'),
          fate: z.enum(['too-long', 'no-supervision', 'not-rendered']).describe('What became of it.'),
          reason: z.string().describe('Why.'),
        }),
      )
      .describe('Samples that became no document.'),
    truncated: z.number().int().describe('Rows cut to length.'),
    split: z
      .number()
      .int()
      .describe('Rows that became several documents: the template rewrites them, or they are long texts.'),
  })
  .describe('Token shards and the order they are trained in.');

export type ShardSplit = (typeof shardSplits)[number];
export type Shards = z.infer<typeof shards>;
