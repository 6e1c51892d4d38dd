import { expect, test } from 'vitest';
import type { Sample } from '../schema/sample.ts';
import { countTokens } from './count-tokens.ts';
import type { DocumentRules } from './documents.ts';

/** A row of `length` tokens, the last `learned` of which are learned. */
const sample = (length: number, learned: number): Sample =>
  ({ id: `${length}`, split: 'train', messages: [], length, learned }) as unknown as Sample;

const rules = (render: DocumentRules['render']): DocumentRules => ({
  layout: 'sequence',
  render,
  encode: (row) => {
    const { length, learned } = row as unknown as { length: number; learned: number };
    return {
      ok: true,
      value: {
        ids: new Uint32Array(length),
        weights: Float32Array.from({ length }, (_, index) => (index >= length - learned ? 1 : 0)),
      },
    };
  },
});
const open = rules({ lengthTokens: 100, overflow: 'refuse' });

async function* stream(...samples: Sample[]): AsyncGenerator<Sample> {
  yield* samples;
}

test('every row is encoded, where there are few', async () => {
  const counts = await countTokens({ samples: stream(sample(10, 4), sample(30, 5)), rows: 2, rules: open });
  expect(counts).toEqual({ train: 40, learned: 9, longest: 30 });
});

test('of many rows the first are encoded, and the rest is judged by them', async () => {
  const samples = stream(sample(10, 4), sample(30, 6), sample(90, 80));
  expect(await countTokens({ samples, rows: 50, rules: open, mostRows: 2 })).toEqual({
    train: 1000,
    learned: 250,
    longest: 30,
    sampledRows: 2,
  });
});

test('a row that is too long is no token, and yet the longest', async () => {
  const samples = stream(sample(10, 4), sample(300, 6));
  expect(await countTokens({ samples, rows: 2, rules: open })).toEqual({ train: 10, learned: 4, longest: 300 });
});

test('no row is no token', async () => {
  expect(await countTokens({ samples: stream(), rows: 0, rules: open })).toEqual({ train: 0, learned: 0, longest: 0 });
});
