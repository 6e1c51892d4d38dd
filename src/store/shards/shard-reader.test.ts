import { cpSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Shards } from '../../schema/shards.ts';
import type { ShardRow } from './shard-layout.ts';
import { openShards } from './shard-reader.ts';

const root = mkdtempSync(join(tmpdir(), 'martlet-shard-reader-'));
const good = join(root, 'good');
afterAll(() => rmSync(root, { recursive: true }));

const row = (digit: number): ShardRow => ({ id: `0${digit}`.repeat(32), cutTokens: digit * 300 });
const none = {
  rows: 0,
  documents: 0,
  tokens: 0,
  storedTokens: 0,
  learnedTokens: 0,
  longestTokens: 0,
  packs: 0,
  steps: 0,
};

/** Written by hand from the description in `schema/shards.ts`: three documents, two steps, three packs. */
beforeAll(() => {
  mkdirSync(good);
  const write = (name: string, array: Uint32Array | Float32Array): void => writeFileSync(join(good, name), array);
  const manifest: Shards = {
    schema: 'shards/4',
    layout: 'sequence',
    packTokens: 5,
    packing: 'best-fit',
    lengthTokens: 4,
    epochs: 1,
    streamed: false,
    day: '2026-11-28',
    tokenizer: 'a'.repeat(64),
    template: 'b'.repeat(64),
    recipe: 'c'.repeat(64),
    code: 'test',
    stopTokens: [2],
    splits: {
      train: {
        rows: 3,
        documents: 3,
        tokens: 9,
        storedTokens: 9,
        learnedTokens: 4,
        longestTokens: 4,
        packs: 3,
        steps: 2,
      },
      heldout: none,
    },
    lost: [],
    truncated: 0,
    split: 0,
  };
  writeFileSync(join(good, 'shards.json'), JSON.stringify(manifest));
  write('train.ids.u32', Uint32Array.of(10, 11, 12, 20, 21, 30, 31, 32, 4_000_000_000));
  write('train.weights.f32', Float32Array.of(0, 1, 1, 0, 0.5, 0, 0, 0, 1));
  write('train.documents.u32', Uint32Array.of(0, 0, 3, 0, 1, 3, 2, 1, 2, 5, 4, 2));
  write('train.schedule.u32', Uint32Array.of(2, 0, 1));
  write('train.packs.u32', Uint32Array.of(1, 2, 3));
  write('train.steps.u32', Uint32Array.of(2, 3));
  write(
    'train.rows.u32',
    Uint32Array.from([1, 2, 3].flatMap((digit) => [...Array(8).fill(0x01010101 * digit), digit * 300])),
  );
  for (const part of ['ids.u32', 'weights.f32', 'documents.u32', 'schedule.u32', 'packs.u32', 'steps.u32', 'rows.u32'])
    writeFileSync(join(good, `heldout.${part}`), '');
});

describe.each([
  ['held whole', 2 ** 20],
  ['read by document', 0],
])('token files %s', (_, wholeFileBytes) => {
  test('give packs by step, documents and rows', async () => {
    using reader = await openShards(good, { wholeFileBytes });
    expect([reader.stepCount('train'), reader.stepCount('heldout')]).toEqual([2, 0]);
    expect(reader.packsOf('train', 0)).toEqual([
      {
        documents: [
          {
            index: 2,
            ids: Uint32Array.of(30, 31, 32, 4_000_000_000),
            weights: Float32Array.of(0, 0, 0, 1),
            promptTokens: 0,
            row: 2,
            group: 2,
          },
        ],
      },
      {
        documents: [
          {
            index: 0,
            ids: Uint32Array.of(10, 11, 12),
            weights: Float32Array.of(0, 1, 1),
            promptTokens: 0,
            row: 0,
            group: 0,
          },
        ],
      },
    ]);
    expect(reader.packsOf('train', 1)).toEqual([{ documents: [reader.document('train', 1)] }]);
    expect([...reader.stepDocuments('train', 0)]).toEqual([2, 0]);
    expect([...reader.stepDocuments('train', 1)]).toEqual([1]);
    expect(reader.rowOf('train', 1)).toEqual(row(2));
    expect([...reader.rows('train')]).toEqual([1, 2, 3].map(row));
  });

  test('cannot be read after closing', async () => {
    const reader = await openShards(good, { wholeFileBytes });
    reader.close();
    reader.close();
    expect(() => reader.document('train', 0)).toThrow(/after it was closed/);
  });
});

test('what is not there is not asked for', async () => {
  using reader = await openShards(good);
  expect(() => reader.packsOf('train', 2)).toThrow(/step 2 of 2/);
  expect(() => reader.packsOf('heldout', 0)).toThrow(/step 0 of 0/);
  expect(() => reader.document('train', 3)).toThrow(/document 3 of 3/);
});

describe('a folder that is not as it was written is refused, with the file', () => {
  const broken = (name: string, change: (file: string) => void): string => {
    const folder = mkdtempSync(join(root, 'broken-'));
    cpSync(good, folder, { recursive: true });
    change(join(folder, name));
    return folder;
  };
  const numbers =
    (...values: number[]) =>
    (file: string) =>
      writeFileSync(file, Uint32Array.from(values));

  test.each<[string, string, (file: string) => void]>([
    ['no manifest', 'shards.json', (file) => rmSync(file)],
    ['a manifest that is none', 'shards.json', (file) => writeFileSync(file, '{}')],
    ['a missing file', 'train.weights.f32', (file) => rmSync(file)],
    ['tokens cut off', 'train.ids.u32', (file) => truncateSync(file, 35)],
    ['rows cut off', 'train.rows.u32', (file) => truncateSync(file, 72)],
    ['a table cut off', 'train.documents.u32', (file) => truncateSync(file, 44)],
    ['half a number', 'train.schedule.u32', (file) => truncateSync(file, 11)],
    ['a document beyond the tokens', 'train.documents.u32', numbers(0, 0, 3, 0, 1, 3, 2, 1, 2, 6, 4, 2)],
    ['a document beyond the rows', 'train.documents.u32', numbers(0, 0, 3, 0, 1, 3, 2, 1, 3, 5, 4, 2)],
    ['a schedule beyond the documents', 'train.schedule.u32', numbers(2, 3, 1)],
    ['packs that shrink', 'train.packs.u32', numbers(2, 1, 3)],
    ['packs that end early', 'train.packs.u32', numbers(1, 2, 2)],
    ['steps beyond the packs', 'train.steps.u32', numbers(2, 4)],
  ])('%s', async (_, name, change) => {
    await expect(openShards(broken(name, change))).rejects.toMatchObject({
      code: expect.stringMatching(/^(shards|document)-unreadable$/),
      message: expect.stringContaining(name),
    });
  });
});
