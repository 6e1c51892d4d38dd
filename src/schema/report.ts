import { z } from 'zod';
import { json } from './common.ts';

export const claimVerdicts = ['supported', 'contradicted', 'not-found'] as const;

/** One checkable statement inside an answer, by UTF-16 offsets. */
export const claim = z
  .strictObject({
    kind: z.enum(['number', 'percentage', 'date', 'name', 'direction']).describe('What is claimed.'),
    text: z.string().describe('The words of the answer.'),
    start: z.number().int().describe('Where they begin.'),
    end: z.number().int().describe('Where they end.'),
    verdict: z.enum(claimVerdicts).describe('Whether the facts bear it out.'),
    fact: z.string().nullable().describe('The fact that decides, by path; null when there is none.'),
    reason: z.string().describe('Why, in one sentence.'),
  })
  .describe('A claim.');

/** One line of `samples.jsonl`. */
export const evalSample = z
  .strictObject({
    model: z.string().describe('`base` or `tuned`.'),
    id: z.string().describe('The held-out sample.'),
    prompt: z.array(json).describe('The messages asked.'),
    reference: z.string().describe('The answer in the dataset.'),
    answer: z.string().describe('The answer of the model.'),
    finishReason: z.enum(['stop', 'length']).describe('Why it ended.'),
    scores: z.record(z.string(), z.number()).describe('Scores by metric.'),
    claims: z.array(claim).describe('Claims found, when grounding was measured.'),
  })
  .describe('One answered held-out row.');

export const metric = z
  .strictObject({
    value: z.number().describe('The mean.'),
    low: z.number().describe('Lower end of the 95 % interval.'),
    high: z.number().describe('Upper end.'),
    count: z.number().int().describe('How many rows or tokens it rests on.'),
    interval: z.enum(['wilson', 'bootstrap', 'none']).describe('How the interval was made.'),
  })
  .describe('A measured value.');

/** `report.json`. */
export const report = z
  .strictObject({
    schema: z.literal('report/1').describe('Document kind and version.'),
    run: z.string().describe('The run measured.'),
    checkpoint: z.string().describe('Its checkpoint.'),
    tasks: z.array(z.string()).describe('What was measured.'),
    models: z.record(z.string(), z.record(z.string(), metric)).describe('Metrics by model (`base`, `tuned`) and name.'),
    lossCurve: z.array(z.tuple([z.number(), z.number()])).describe('Step and training loss.'),
    seconds: z.number().describe('Time taken.'),
  })
  .describe('Base against tuned.');

export type Claim = z.infer<typeof claim>;
export type EvalSample = z.infer<typeof evalSample>;
export type Metric = z.infer<typeof metric>;
export type Report = z.infer<typeof report>;
