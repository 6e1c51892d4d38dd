import { trainedRows } from '../predict.ts';
import { type Check, error, warning } from './check.ts';

export const learningRateFalls: Check = ({ values: { train } }) =>
  train.minLearningRate > train.learningRate
    ? [
        error({
          code: 'learning-rate-rises',
          path: ['train', 'minLearningRate'],
          message: `The schedule ends at ${train.minLearningRate}, above its peak.`,
          expected: `at most train.learningRate, ${train.learningRate}`,
        }),
      ]
    : [];

export const constantEndsNowhere: Check = ({ values: { train } }) =>
  train.schedule === 'constant' && train.minLearningRate > 0
    ? [
        warning({
          code: 'no-effect',
          path: ['train', 'minLearningRate'],
          message: 'A constant schedule does not fall.',
          fix: 'Remove it, or write cosine or linear for train.schedule.',
        }),
      ]
    : [];

export const warmupLeavesSteps: Check = ({ values: { train }, predictions: { steps } }) => {
  const path = ['train', 'warmup'];
  if (train.warmup === 1)
    return [
      error({
        code: 'only-warmup',
        path,
        message: 'The learning rate rises until the last step and is never used at its peak.',
        expected: 'a share below 1',
      }),
    ];
  const rising = typeof steps === 'number' ? Math.round(steps * train.warmup) : 0;
  return rising > 0 && typeof steps === 'number' && rising >= steps
    ? [
        warning({
          code: 'only-warmup',
          path,
          message: `${rising} of ${steps} steps are warm-up.`,
          fix: 'Write 0, or train longer.',
        }),
      ]
    : [];
};

/**
 * Rates above these usually destroy the model. AdamW moves each weight by about the rate a step: full fine-tuning is done with
 * 1e-6 to 1e-4, adapters with 1e-5 to 1e-3 (LoRA's paper and QLoRA's: 1e-4 to 5e-4), so that each bound leaves room above.
 */
const highestRates = { full: 2e-4, lora: 1e-2 } as const;

export const rateIsUsual: Check = ({ values: { adapter, train } }) => {
  const { learningRate } = train;
  const { full, lora } = highestRates;
  if (learningRate <= highestRates[adapter.kind]) return [];
  const message =
    learningRate > lora
      ? `${learningRate} is far above any rate that ${adapter.kind === 'full' ? 'models' : 'adapters'} are trained with: it usually destroys the model.`
      : `${learningRate} is a rate for adapters; with every weight trained it usually destroys the model.`;
  const expected = adapter.kind === 'full' ? `about 1e-5, at most ${full}` : `about 2e-4, at most ${lora}`;
  return [warning({ code: 'learning-rate-high', path: ['train', 'learningRate'], message, expected })];
};

export const stepsHoldRows: Check = ({ values: { train }, facts, given }) => {
  const rows = trainedRows(facts);
  if (rows === 0 || train.rowsPerStep <= rows) return [];
  const byDefault = given.has('train.rowsPerStep') ? '' : ' by default';
  return [
    warning({
      code: 'step-larger-than-data',
      path: ['train', 'rowsPerStep'],
      message: `A step takes ${train.rowsPerStep} rows${byDefault}, where there are ${rows}: each pass is one step.`,
      ...(byDefault !== '' && {
        fix: `Write train.rowsPerStep: ${Math.max(1, Math.floor(rows / 4))} for more of them.`,
      }),
    }),
  ];
};

export const evalWithinRun: Check = ({ execution: { evalEvery }, predictions: { steps } }) =>
  evalEvery !== null && typeof steps === 'number' && evalEvery > steps
    ? [
        warning({
          code: 'no-effect',
          path: ['train', 'evalEvery'],
          message: `The run has ${steps} steps: the held-out loss is never measured while it trains.`,
        }),
      ]
    : [];

export const packHoldsRow: Check = ({ execution: { packTokens }, facts: { tokens }, given }) =>
  tokens && given.has('train.packTokens') && packTokens < tokens.longest
    ? [
        warning({
          code: 'pack-smaller-than-row',
          path: ['train', 'packTokens'],
          message: `The longest row has ${tokens.longest} tokens and is computed whole.`,
          expected: `at least ${tokens.longest}`,
        }),
      ]
    : [];
