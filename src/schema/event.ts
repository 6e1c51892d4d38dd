import { z } from 'zod';
import { sha256Hex, timestamp } from './common.ts';

const head = {
  sequence: z.number().int().min(0).describe('Counts up by one over the life of the run, resumes included.'),
  at: timestamp,
  step: z.number().int().min(0).describe('Optimiser steps finished.'),
};

/** One line of `events.jsonl`: the record of a run. Nothing is parsed out of log text. */
export const runEvent = z
  .discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('run-start').describe('Training is about to begin.'),
      ...head,
      planHash: sha256Hex.describe('The plan, as the engine hashed it.'),
      engine: z.string().describe('Engine and version.'),
      steps: z.number().int().describe('Steps in all.'),
      trainableParameters: z.number().int().describe('Numbers that change.'),
      resumedFrom: z.string().nullable().describe('The checkpoint continued from.'),
      learnedBefore: z.number().int().min(0).default(0).describe('Tokens learned up to that checkpoint.'),
    }),
    z.strictObject({
      type: z.literal('step-end').describe('One optimiser step.'),
      ...head,
      loss: z.number().describe("The method's loss over the step."),
      learningRate: z.number().describe('Learning rate used.'),
      gradientNorm: z.number().describe('Global norm before clipping.'),
      tokens: z.number().int().describe('Tokens computed.'),
      learnedTokens: z.number().int().describe('Tokens learned.'),
      rows: z.number().int().describe('Rows.'),
      seconds: z.number().describe('Time of the step.'),
      memoryGiB: z.number().describe('Resident memory of the engine.'),
      metrics: z.record(z.string(), z.number()).describe('What else the method measures.'),
    }),
    z.strictObject({
      type: z.literal('eval-end').describe('A held-out loss while training.'),
      ...head,
      loss: z.number().describe('Mean loss over learned tokens.'),
      learnedTokens: z.number().int().describe('Tokens measured.'),
      seconds: z.number().describe('Time taken.'),
    }),
    z.strictObject({
      type: z.literal('checkpoint-saved').describe('A checkpoint is complete on disk.'),
      ...head,
      checkpoint: z.string().describe('Folder inside the run.'),
      fingerprint: sha256Hex.describe('Over its files.'),
    }),
    z.strictObject({
      type: z.literal('warning').describe('Odd but allowed.'),
      ...head,
      code: z.string().describe('Stable code.'),
      message: z.string().describe('What is odd.'),
    }),
    z.strictObject({
      type: z
        .literal('run-failed')
        .describe('The run stopped because something failed. Earlier checkpoints are whole.'),
      ...head,
      code: z.string().describe('Stable code.'),
      message: z.string().describe('What failed.'),
      fix: z.string().describe('What to do.'),
    }),
    z.strictObject({
      type: z.literal('run-end').describe('The run stopped as asked or is complete.'),
      ...head,
      reason: z.enum(['complete', 'stopped']).describe('Which.'),
      checkpoint: z.string().nullable().describe('The last checkpoint.'),
    }),
  ])
  .describe('An event of a run.');

export type RunEvent = z.infer<typeof runEvent>;
export type RunEventType = RunEvent['type'];
