import { readFile } from 'node:fs/promises';
import { afterAll, expect, test } from 'vitest';
import { randomStream, streamKey } from '../../src/core/random.ts';
import { packLayout } from '../../src/engine/layout.ts';
import type { Sample } from '../../src/schema/sample.ts';
import { shardSplits } from '../../src/schema/shards.ts';
import { planValues, spelled, testShards } from '../../src/shard/test-shards.ts';
import { openShards } from '../../src/store/shards/shard-reader.ts';
import { describeWithOracles, oracle } from '../support/oracle.ts';

const files = testShards();
afterAll(() => files.remove());

interface Mapped {
  readonly steps: readonly (readonly (readonly number[])[])[];
  readonly documents: readonly {
    readonly ids: readonly number[];
    readonly weights: readonly number[];
    readonly positions: readonly number[];
  }[];
  readonly rows: readonly (readonly [id: string, cutTokens: number])[];
  readonly mapped: boolean;
  readonly torch: readonly number[];
}

/** Rows with two answers to one prompt; some held out. */
function randomRows(count: number): Sample[] {
  const random = randomStream(streamKey(41, count));
  const words = (least: number): string =>
    Array.from(
      { length: least + random.below(20) },
      () => `${['', '*', '~'][random.below(3)]}${random.below(2 ** 31)}`,
    ).join(' ');
  return Array.from({ length: count }, (_, line) => {
    const prompt = words(2);
    return spelled(`${prompt} ${words(1)} *1`, line + 1, {
      split: random.below(4) === 0 ? 'heldout' : 'train',
      rejected: [{ role: 'assistant', content: `${prompt} ${words(1)} *2` }],
    });
  });
}

describeWithOracles('shards, mapped by NumPy and torch as the page about them says', () => {
  test.each(['sequence', 'pair'] as const)('are what the engine reads (%s)', async (layout) => {
    const page = await readFile(new URL('../../docs/concepts/shards.md', import.meta.url), 'utf8');
    // Some are cut: the table of rows says by how much.
    const render = { lengthTokens: 30, overflow: 'truncate-prompt' } as const;
    const values = planValues({ render, train: { epochs: 2, rowsPerStep: 7 }, budget: { truncated: 1, dropped: 1 } });
    const { folder } = await files.build(randomRows(60), { layout, values, packTokens: 120 });
    using reader = await openShards(folder);
    for (const split of shardSplits) {
      const mapped = await oracle<Mapped>('shards', { page, folder, split });
      expect(mapped.mapped).toBe(true);
      const steps = Array.from({ length: reader.stepCount(split) }, (_, step) => reader.packsOf(split, step));
      expect(mapped.steps).toEqual(
        steps.map((packs) => packs.map(({ documents }) => documents.map(({ index }) => index))),
      );
      expect(mapped.documents).toHaveLength(reader.manifest.splits[split].documents);
      expect(mapped.rows).toEqual(mapped.documents.map((_, index) => Object.values(reader.rowOf(split, index))));
      for (const { documents } of steps.flat()) {
        const { positions } = packLayout(
          documents.map(({ ids }) => ids.length),
          { group: 1, window: null },
        );
        const theirs = documents.map(({ index }) => mapped.documents[index]);
        expect(theirs.flatMap((document) => document?.positions ?? [])).toEqual(Array.from(positions, Number));
        expect(theirs.map((document) => document?.ids)).toEqual(documents.map(({ ids }) => [...ids]));
        expect(theirs.map((document) => document?.weights)).toEqual(documents.map(({ weights }) => [...weights]));
      }
      const file = await readFile(`${folder}/${split}.ids.u32`);
      expect(mapped.torch).toEqual([...new Int32Array(new Uint8Array(file).buffer)]);
    }
  });
});
