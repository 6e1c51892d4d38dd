import { expect, test } from 'vitest';
import type { Artefact } from '../../store/store.ts';
import { madeLine, reuseLine } from './made.ts';

const artefact = (kind: Artefact['kind'], facts: Artefact['lineage']['facts']): Artefact =>
  ({ kind, address: 'a@1', folder: '/store', lineage: { facts } }) as unknown as Artefact;

test.each<[Artefact, boolean, string]>([
  [artefact('plan', { hash: 'ab'.repeat(32) }), true, 'plan     a@1               hash abababababab'],
  [
    artefact('dataset', { rowsIn: 1240, fates: { train: 1192, heldout: 48, invalid: 0 }, changesOn: null }),
    true,
    'dataset  a@1               1,240 rows: 1,192 train, 48 heldout',
  ],
  [
    artefact('shards', {
      splits: { train: { tokens: 35_629, learnedTokens: 11_086, steps: 24 }, heldout: {} },
      lost: 0,
      truncated: 2,
    }),
    true,
    'shards   a@1               35,629 tokens, 11,086 learned, 24 steps, 2 rows cut',
  ],
  [
    artefact('shards', {
      splits: { train: { tokens: 20, learnedTokens: 9, steps: 2 }, heldout: {} },
      lost: 1,
      firstLost: { place: 'rows.jsonl:7', fate: 'too-long' },
      truncated: 1,
    }),
    true,
    'shards   a@1               20 tokens, 9 learned, 2 steps, 1 row lost, first rows.jsonl:7 (too-long), 1 row cut',
  ],
  [
    artefact('shards', {
      splits: { train: { rows: 113, tokens: 9380, learnedTokens: 3931, steps: 12 }, heldout: {} },
      epochs: 48 / 113,
      lost: 0,
      truncated: 0,
    }),
    true,
    'shards   a@1               9,380 tokens, 3,931 learned a pass, 12 steps with 48 of 113 rows',
  ],
  [
    artefact('shards', {
      splits: { train: { rows: 2, tokens: 20, learnedTokens: 9, steps: 4 }, heldout: {} },
      epochs: 2,
      lost: 0,
      truncated: 0,
    }),
    true,
    'shards   a@1               20 tokens, 9 learned a pass, 4 steps',
  ],
  [
    artefact('run', { step: 12, learnedTokens: 1699, checkpoint: 'checkpoints/step-000012' }),
    true,
    'run      a@1               12 steps, 1,699 tokens learned, checkpoints/step-000012',
  ],
  [
    artefact('run', { step: 24, checkpoint: 'checkpoints/step-000024' }),
    false,
    'run      a@1               24 steps, checkpoints/step-000024, made before',
  ],
  [
    artefact('model', {
      checkpoint: 'x',
      certificates: [
        { format: 'adapter', maxLogitDifference: 0 },
        { format: 'gguf', maxLogitDifference: 0.0000123 },
      ],
    }),
    true,
    'model    a@1               adapter (the same logits), gguf (logits within 0.00001)',
  ],
  [artefact('feedback', {}), false, 'feedback a@1               made before'],
])('a line says what is worth a look', (each, isNew, expected) => {
  expect(madeLine(each, isNew)).toBe(expected);
});

test('what a build took from the last one is told in one line', () => {
  const steps = (...taken: number[]) =>
    taken.map((each, number) => ({ step: ['read', 'map'][number] ?? 'length', pieces: 4, taken: each }));
  expect(reuseLine(steps(0, 0, 0))).toBe('pieces   12 done, none of an earlier build');
  expect(reuseLine(steps(4, 4, 4))).toBe('pieces   12 of 12 as the last build left them');
  expect(reuseLine(steps(3, 4, 0))).toBe(
    'pieces   7 of 12 as the last build left them; done again: reading 1 of 4, data.steps[1] (length)',
  );
});
