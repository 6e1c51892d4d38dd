import { expect, test } from 'vitest';
import type { RunEvent } from '../../schema/event.ts';
import { trainProgress } from './train-progress.ts';

const at = '2026-01-03T00:00:00.000Z';
const now = () => new Date(at);

const start = (more: Partial<Extract<RunEvent, { type: 'run-start' }>>): RunEvent => ({
  ...{ type: 'run-start', sequence: 0, at, step: 0, planHash: 'a'.repeat(64), engine: 'embedded (1)', steps: 5 },
  ...{ trainableParameters: 1200, resumedFrom: null, learnedBefore: 0, ...more },
});
const stepEnd = (step: number): RunEvent => ({
  ...{ type: 'step-end', sequence: 1, at, step, loss: 2, learningRate: 1, gradientNorm: 1, tokens: 100, rows: 4 },
  ...{ learnedTokens: 40, seconds: 2, memoryGiB: 0.5, metrics: {} },
});

test('a run that goes on counts what it had learned before', () => {
  const said = trainProgress({ now });
  expect(said(start({ step: 3, resumedFrom: 'checkpoints/step-000003', learnedBefore: 120 }))).toBe(
    'Resuming from checkpoints/step-000003: 5 steps, 1,200 parameters, embedded (1)',
  );
  expect(said(stepEnd(4))).toBe('step 4/5  loss 2.0000  50 tok/s  160 learned  0.50 GiB  2.0 s left');
  expect(said(stepEnd(5))).toContain('200 learned');
  const end: RunEvent = { type: 'run-end', sequence: 9, at, step: 5, reason: 'complete', checkpoint: null };
  expect(said(end)).toBe(
    'trained on 200 tokens in 4.0 s, from step 4 on; 200 learned in all 5 steps: last loss 2.0000',
  );
  const undisturbed = trainProgress({ now });
  for (const event of [start({ steps: 1 }), stepEnd(1)]) undisturbed(event);
  expect(undisturbed({ ...end, step: 1 })).toBe('trained on 100 tokens in 2.0 s, 40 learned: last loss 2.0000');
});

test('one step is one step', () => {
  expect(trainProgress({ now })(start({ steps: 1 }))).toBe('Training: 1 step, 1,200 parameters, embedded (1)');
});
