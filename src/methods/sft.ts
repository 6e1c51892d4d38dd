import { z } from 'zod';
import { div, mul, neg, quantity, total } from './expression.ts';
import { defineMethod } from './method.ts';

/** Supervised fine-tuning: the weighted mean negative log-likelihood of the learned tokens, over the whole step. */
export const sft = defineMethod({
  name: 'sft',
  summary: 'Supervised fine-tuning: learn to write the answers.',
  source:
    'Cross-entropy; normalised by the token weights of the global batch, so that cutting a step into packs changes nothing.',
  parameters: z.strictObject({}),
  layout: 'sequence',
  loss: () => div(neg(total(mul(quantity('weight'), quantity('logProbability')))), quantity('stepWeight')),
});
