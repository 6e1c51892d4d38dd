import { z } from 'zod';
import { agentFormats } from './agent-formats.ts';
import { json, sha256Hex } from './common.ts';
import {
  controlTokenRules,
  evalTasks,
  exportFormats,
  loraModules,
  mixKinds,
  mixStops,
  overflows,
  packings,
  rewrittenRules,
  schedules,
  sourceFormats,
  textRowKinds,
  turnRules,
} from './recipe.ts';

export const originKinds = ['recipe', 'flag', 'default', 'derived', 'model'] as const;

/** A number that could be predicted, or the word `unknown` where a fact was missing. */
const prediction = z.union([z.number(), z.literal('unknown')]);

/** Every value that decides the result, with nothing left to a default. */
export const planValues = z
  .strictObject({
    name: z.string().describe('The name of all artefacts.'),
    base: z.array(z.string()).min(1).describe('Base model addresses, tried in order.'),
    method: z
      .strictObject({
        name: z.string().describe('The method.'),
        parameters: z.record(z.string(), json).describe('Its parameters, all of them.'),
      })
      .describe('How the model learns.'),
    data: z
      .strictObject({
        sources: z
          .array(
            z.strictObject({
              from: z.string().describe('Absolute file, folder or pattern, or an address.'),
              query: z.string().nullable().describe('The query of a database; null for none, or one in the address.'),
              format: z.enum(sourceFormats).describe('How rows are written.'),
              columns: z
                .record(z.string(), z.string())
                .nullable()
                .describe('Columns read under another name, as theirs: ours; null for none.'),
              media: z.string().nullable().describe("Folder of media; null for the source file's own."),
              textRows: z.enum(textRowKinds).describe('What one row of a text is.'),
              sample: z.number().int().nullable().describe('Rows drawn; null for all, or what the address says.'),
              weight: z.number().nullable().describe('Share when interleaved, against the others; null for none.'),
              options: z.record(z.string(), json).nullable().describe('What a module is told; null for nothing.'),
              limit: z.number().int().nullable().describe('Rows taken; null for all.'),
              madeBy: z.array(z.string()).nullable().describe('Makers taken; null for all.'),
              licence: z.string().nullable().describe('Licence where rows do not say.'),
            }),
          )
          .describe('Where rows come from.'),
        steps: z
          .array(
            z.strictObject({
              step: z.string().describe('Its name; for a module, its file.'),
              module: z.string().nullable().describe('The module of a step of your own; null otherwise.'),
              options: json.describe('What it is told, all of it.'),
            }),
          )
          .describe('What is done to the rows after they are read.'),
        mix: z.enum(mixKinds).describe('Sources one after the other, or in turn.'),
        mixStop: z.enum(mixStops).describe('When interleaving ends.'),
        seed: z.number().int().describe('Seed of what is drawn.'),
        maxRowMiB: z.number().describe('Longest row that is read.'),
        turns: z.enum(turnRules).describe('What becomes of rows whose turns do not alternate.'),
        split: z
          .strictObject({
            by: z.string().nullable().describe('Column that decides; null for the row itself.'),
            heldOut: z.array(z.string()).nullable().describe('Values held out; null when a share is.'),
            share: z.number().nullable().describe('Share held out; null when values are.'),
          })
          .describe('What is held out.'),
        budget: z
          .strictObject({
            dropped: z.number().describe('Share that may be lost.'),
            truncated: z.number().describe('Share that may be cut.'),
          })
          .describe('What may be lost.'),
      })
      .describe('The rows.'),
    render: z
      .strictObject({
        template: z.string().describe('`model` or a file.'),
        learn: z.string().describe('What is learned: names of rules, joined by +.'),
        weights: z
          .array(
            z.strictObject({
              match: z.string().describe('A regular expression.'),
              weight: z.number().describe('Weight of what it matches.'),
              after: z.number().describe('Weight of what follows, up to the next match.'),
            }),
          )
          .describe('Weights for text inside answers.'),
        rewritten: z.enum(rewrittenRules).describe('What happens to rows that the template rewrites.'),
        controlTokens: z.enum(controlTokenRules).describe('What text becomes that spells a control token.'),
        agent: z.enum(agentFormats).describe('How tools are written where the template has no place for them.'),
        system: z.string().nullable().describe('System message for rows without one.'),
        lengthTokens: z.number().int().describe('Longest row.'),
        overflow: z.enum(overflows).describe('What happens to longer ones.'),
      })
      .describe('From messages to tokens.'),
    adapter: z
      .discriminatedUnion('kind', [
        z.strictObject({
          kind: z.literal('lora').describe('Low-rank adapters.'),
          rank: z.number().int().describe('Width.'),
          alpha: z.number().describe('Scale is alpha / rank.'),
          dropout: z.number().describe('Share of adapter inputs zeroed.'),
          targets: z.array(z.enum(loraModules)).describe('Layers adapted.'),
        }),
        z.strictObject({ kind: z.literal('full').describe('Every weight is trained.') }),
      ])
      .describe('What is trained.'),
    train: z
      .strictObject({
        epochs: z.number().describe('Passes.'),
        maxSteps: z.number().int().nullable().describe('Step limit; null for none.'),
        rowsPerStep: z.number().int().describe('Rows a step.'),
        groupByLength: z.boolean().describe('Whether rows of like length come together.'),
        learningRate: z.number().describe('Peak learning rate.'),
        schedule: z.enum(schedules).describe('How it falls.'),
        warmup: z.number().describe('Share of steps it rises over.'),
        minLearningRate: z.number().describe('Where it ends.'),
        weightDecay: z.number().describe('AdamW decay.'),
        betas: z.tuple([z.number(), z.number()]).describe('AdamW moment decay rates.'),
        epsilon: z.number().describe('AdamW epsilon.'),
        clipNorm: z.number().describe('Largest gradient norm; 0 for none.'),
        seed: z.number().int().describe('Seed of everything random.'),
      })
      .describe('The optimisation.'),
    eval: z
      .strictObject({
        tasks: z.array(z.enum(evalTasks)).describe('What is measured.'),
        rows: z.number().int().describe('Rows answered.'),
        maxTokens: z.number().int().describe('Longest answer.'),
      })
      .describe('The measurement.'),
    export: z
      .strictObject({
        formats: z.array(z.enum(exportFormats)).describe('What is written.'),
        tolerance: z.number().describe('Largest logit difference allowed.'),
        certifyRows: z.number().int().describe('Rows compared.'),
      })
      .describe('The model that leaves.'),
  })
  .describe('What decides the result.');

/** What decides only where and how fast. */
export const planExecution = z
  .strictObject({
    engine: z.enum(['embedded', 'torch']).describe('Who trains.'),
    engineReason: z.string().describe('Why.'),
    threads: z.union([z.number().int(), z.literal('unknown')]).describe('Threads.'),
    memoryGiB: prediction.describe('Memory the run may take.'),
    diskGiB: z
      .number()
      .nullable()
      .describe('Disk that the corpus may take, which is then streamed; null where all of it is kept.'),
    packTokens: z.number().int().describe('Tokens computed at once.'),
    packing: z.enum(packings).describe('How rows share packs.'),
    checkpointEvery: z.union([z.number().int(), z.literal('unknown')]).describe('Steps between checkpoints.'),
    keepCheckpoints: z.number().int().describe('Checkpoints kept.'),
    evalEvery: z.number().int().nullable().describe('Steps between held-out losses; null for never.'),
    checkRows: z.number().int().describe('Rows whose tokens are checked before the first step.'),
  })
  .describe('Where and how fast; never part of the hash.');

export const planPredictions = z
  .strictObject({
    rows: prediction.describe('Rows to train on in one pass.'),
    tokens: prediction.describe('Tokens in one pass.'),
    learnedTokens: prediction.describe('Tokens learned in one pass.'),
    steps: prediction.describe('Optimiser steps.'),
    trainableParameters: prediction.describe('Numbers that change.'),
    peakMemoryGiB: prediction.describe('Most memory at once.'),
    trainSeconds: prediction.describe('Time in training.'),
  })
  .describe('What to expect.');

/** The recipe fully resolved: a pure function of recipe and facts. */
export const plan = z
  .strictObject({
    schema: z.literal('plan/2').describe('Document kind and version.'),
    hash: sha256Hex.describe(
      'Fingerprint of `loss`, and of `values` but `eval` and `export`: equal hashes, equal weights.',
    ),
    values: planValues,
    loss: json.describe("The method's loss as an expression, so that every engine computes the same one."),
    execution: planExecution,
    predictions: planPredictions,
    origins: z
      .record(
        z.string(),
        z.strictObject({
          origin: z.enum(originKinds).describe('Where the value came from.'),
          reason: z.string().optional().describe('Why, when it was derived.'),
        }),
      )
      .describe('For each value, by dotted path, where it came from.'),
    warnings: z.array(z.string()).describe('What is odd but allowed, and what `martlet plan` could not find out.'),
    notes: json.optional().describe('The notes of the recipe.'),
  })
  .describe('A plan: the recipe fully resolved.');

export type Plan = z.infer<typeof plan>;
export type PlanValues = z.infer<typeof planValues>;
export type PlanExecution = z.infer<typeof planExecution>;
export type PlanPredictions = z.infer<typeof planPredictions>;
export type Origin = (typeof originKinds)[number];
