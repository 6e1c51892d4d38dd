import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MartletError } from '../../core/error.ts';
import type { LedgerEntry } from '../../schema/dataset.ts';
import type { OpenedSource } from '../sources.ts';
import type { WholeRows } from '../steps/step.ts';
import type { Cache } from './cache.ts';
import { decodePart, lineOf, type Part, parseLine } from './part-file.ts';
import type { BatchState } from './run-steps.ts';

interface WholeRowsRequest {
  readonly cache: Cache;
  readonly batches: readonly BatchState[];
  /** Numbers, among all rows, of those that reach the step. */
  readonly live: Uint32Array;
  readonly sources: readonly OpenedSource[];
  readonly width: number;
}

/** The rows a step looks at together. Memory: their features (`width` bytes a row) and one batch. */
export async function wholeRows({ cache, batches, live, sources, width }: WholeRowsRequest): Promise<WholeRows> {
  const starts = new Float64Array(batches.length);
  for (let i = 1; i < batches.length; i++) starts[i] = (starts[i - 1] ?? 0) + (batches[i - 1]?.rows ?? 0);
  const features: Buffer[] = [];
  if (width > 0) for (const { feature } of batches) features.push((await cache.read(feature ?? '')) ?? gone(feature));

  let at = 0;
  let index = 0;
  /** Sets `at` to the batch of a row and `index` to its place there; rows are mostly asked for in order. */
  const find = (row: number): void => {
    const number = live[row] ?? 0;
    while (number < (starts[at] ?? 0)) at--;
    while (at + 1 < starts.length && number >= (starts[at + 1] ?? 0)) at++;
    index = number - (starts[at] ?? 0);
  };
  let held: { readonly name: string; readonly part: Part } | undefined;
  return {
    count: live.length,
    source(row) {
      find(row);
      return sources[batches[at]?.sources[index] ?? 0]?.values.from ?? '';
    },
    place(row) {
      find(row);
      const name = batches[at]?.part ?? '';
      if (held?.name !== name) held = { name, part: decodePart(readFileSync(join(cache.folder, name))) ?? gone(name) };
      const entry = parseLine<LedgerEntry>(lineOf(held.part.ledger, held.part.ledgerEnds, index));
      return `${entry.file ?? entry.source}:${entry.line}`;
    },
    feature(row) {
      find(row);
      return features[at]?.subarray(index * width, (index + 1) * width) ?? gone(null);
    },
  };
}

function gone(what: string | null): never {
  throw new MartletError('cache-gone', `what was made a moment ago is gone from the cache: ${what}`, {
    hint: 'Let nothing else write there; the same command begins again from what is left.',
  });
}
