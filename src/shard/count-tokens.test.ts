import { expect, test } from 'vitest';
import type { Sample } from '../schema/sample.ts';
import { countTokens } from './count-tokens.ts';
import type { DocumentRules } from './documents.ts';

/** A row of `length` tokens, the last `learned` of which are learned. */
const sample = (length: number, learned: number): Sample =>
  ({
    id: `${length}`,
    split: 'train',
    messages: [],
    provenance: { source: 'rows.jsonl', file: 'rows.jsonl', line: length },
    length,
    learned,
  }) as unknown as Sample;

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
  expect(counts).toEqual({
    train: 40,
    learned: 9,
    longest: 30,
    lost: 0,
    sources: { 'rows.jsonl': { rows: 2, tokens: 40, learned: 9 } },
  });
});

test('of many rows the first are encoded, and the rest is judged by them', async () => {
  const samples = stream(sample(10, 4), sample(30, 6), sample(90, 80));
  expect(await countTokens({ samples, rows: 50, rules: open, mostRows: 2 })).toEqual({
    train: 1000,
    learned: 250,
    longest: 30,
    lost: 0,
    sampledRows: 2,
  });
});

test('a row that is too long is named and is no token; where it is dropped, it counts as lost and raises no pack', async () => {
  const rows = () => stream(sample(10, 4), sample(200, 6), sample(300, 6));
  const counts = {
    ...{ train: 10, learned: 4, longest: 10 },
    sources: { 'rows.jsonl': { rows: 1, tokens: 10, learned: 4 } },
    tooLong: { rows: 2, longest: { place: 'rows.jsonl:300', tokens: 300 } },
  };
  expect(await countTokens({ samples: rows(), rows: 3, rules: open })).toEqual({ ...counts, lost: 0 });
  const dropping = rules({ lengthTokens: 100, overflow: 'drop' });
  expect(await countTokens({ samples: rows(), rows: 3, rules: dropping })).toEqual({ ...counts, lost: 2 });
});

test('no row is no token', async () => {
  expect(await countTokens({ samples: stream(), rows: 0, rules: open })).toMatchObject({
    train: 0,
    learned: 0,
    longest: 0,
  });
});
