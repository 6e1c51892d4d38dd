import { z } from 'zod';
import { sha256Hex } from './common.ts';
import { fates } from './fates.ts';
import { planValues } from './plan.ts';

/** One line of `ledger.jsonl`: the story of one row of a source. */
export const ledgerEntry = z
  .strictObject({
    source: z.string().describe('The source as the recipe names it.'),
    file: z.string().optional().describe('The file it stands in, where its source has several.'),
    line: z.number().int().min(1).describe('The line the row began on, or its number where there are no lines.'),
    sha256: sha256Hex.describe('sha-256 of the raw row.'),
    fate: z.enum(fates).describe('What became of it.'),
    step: z
      .string()
      .nullable()
      .describe('The step at which it ended, `read` for reading itself; null when it was kept.'),
    code: z.string().nullable().describe('The kind of reason, such as `near-duplicate`; null when it was kept.'),
    id: z.string().nullable().describe('The id of the sample it became; null when it became none.'),
    reason: z.string().nullable().describe('Why, when it was not kept.'),
    changes: z.array(z.string()).describe('What was changed in it, or found: by reading it, then by each step.'),
    truncated: z.literal(true).optional().describe('Text of it was cut to a limit.'),
  })
  .describe('The story of one row.');

const stepAccount = z
  .strictObject({
    step: z.string().describe('The step; `read` for reading itself.'),
    rowsIn: z.number().int().describe('Rows that reached it.'),
    rowsOut: z.number().int().describe('Rows that went on.'),
    changed: z.number().int().describe('Rows that went on changed, or with something found in them.'),
    truncated: z.number().int().describe('Rows that went on with text cut to a limit.'),
    ended: z
      .array(
        z
          .strictObject({
            fate: z.enum(fates).describe('What became of them.'),
            code: z.string().describe('The kind of reason.'),
            rows: z.number().int().describe('Rows that ended for it.'),
            example: z
              .strictObject({
                source: z.string().describe('The source of the first.'),
                line: z.number().int().describe('Its line.'),
                reason: z.string().describe('Its reason.'),
              })
              .describe('The first of them.'),
          })
          .describe('Rows that ended for one reason.'),
      )
      .describe('Rows that ended here, by reason; with rowsOut they add up to rowsIn.'),
    example: z.string().nullable().describe('The first change.'),
    notes: z.array(z.string()).optional().describe('What it was done with, such as the texts rows were compared with.'),
  })
  .describe('What one step did.');

/** `dataset.json`. Rows stand in `rows.jsonl`, in the order they are trained before shuffling. */
export const dataset = z
  .strictObject({
    schema: z.literal('dataset/1').describe('Document kind and version.'),
    rowsIn: z.number().int().describe('Rows read from all sources.'),
    fates: z.record(z.enum(fates), z.number().int()).describe('Rows by fate; they add up to rowsIn.'),
    steps: z.array(stepAccount).describe('What reading and each step did, in order.'),
    formats: z.record(z.string(), z.string()).describe('The format recognised, by source.'),
  })
  .describe('A dataset and its accounts.');

/**
 * `streamed.json`, of a dataset whose rows are not kept: in the place of `rows.jsonl` and `ledger.jsonl` stand `pieces.jsonl`
 * and what they are made from again, with equal bytes.
 */
export const streamedDataset = z
  .strictObject({
    schema: z.literal('streamed-dataset/2').describe('Document kind and version.'),
    values: planValues.shape.data.describe('How the sources are read, and the steps.'),
    today: z.iso.date().describe('The day embargoes were held against.'),
    pieceBytes: z.number().int().describe('Most bytes of raw rows in a piece, unless a row has more.'),
    pieceRows: z.number().int().describe('Most rows in a piece.'),
    fetched: z
      .strictObject({
        largest: z.number().int().describe('Bytes of the largest file of each data set, together.'),
        total: z.number().int().describe('Bytes of all of them.'),
      })
      .describe('Files of hubs, which are fetched whenever they are read.'),
  })
  .describe('A dataset whose rows are made again from their sources.');

/** One line of `pieces.jsonl`: raw rows that are read together, and what can be known of them only with a look at all rows. */
export const datasetPiece = z
  .strictObject({
    key: sha256Hex.describe('Of the raw rows and their places.'),
    rows: z.number().int().describe('Raw rows.'),
    rowBytes: z.number().int().describe('Bytes of its lines in `rows.jsonl`.'),
    ledgerBytes: z.number().int().describe('Bytes of its lines in `ledger.jsonl`.'),
    sha256: sha256Hex.describe('Of the former, then the latter.'),
    decided: z
      .array(z.string().nullable())
      .describe(
        'For reading and each step that looks at all rows, which rows ended there and why: a packed delta in base64. Null for steps that look at one row at a time.',
      ),
    ranges: z
      .array(
        z.strictObject({
          source: z.number().int().describe('Number of the source, from 0.'),
          file: z.string().optional().describe('Its file, where the source has several.'),
          first: z.number().int().describe('The lowest line.'),
          last: z.number().int().describe('The highest.'),
          rows: z.number().int().default(0).describe('How many there are; 0 where an earlier writer did not say.'),
        }),
      )
      .describe('Where its rows stand.'),
  })
  .describe('A piece of a dataset that is made again.');

export type StreamedDataset = z.infer<typeof streamedDataset>;
export type DatasetPiece = z.infer<typeof datasetPiece>;
export type StepAccount = z.infer<typeof stepAccount>;
export type LedgerEntry = z.infer<typeof ledgerEntry>;
export type Dataset = z.infer<typeof dataset>;
