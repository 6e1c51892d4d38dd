import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createFileWriter } from '../../../store/files/file-writer.ts';
import { type DoneBatch, statesOf, writeBatch } from '../batch-states.ts';
import { type DatasetAccounts, openAccounts } from '../dataset-accounts.ts';
import { decodePart } from '../part-file.ts';
import { type Cache, openCache } from './cache.ts';
import { deltaNamed } from './cached-jobs.ts';
import type { BatchOutcome, StepsOutcome } from './run-steps.ts';

export interface WriteDatasetRequest {
  readonly folder: string;
  readonly cacheFolder: string;
  readonly outcome: StepsOutcome;
}

/** Writes `rows.jsonl` and `ledger.jsonl`; rows and entries nobody touched are copied as they stand. */
export async function writeDataset({ folder, cacheFolder, outcome }: WriteDatasetRequest): Promise<DatasetAccounts> {
  const cache = openCache(cacheFolder);
  const accounts = openAccounts(outcome.names);
  const { order } = outcome;
  const unordered = join(folder, '.rows.unordered');
  const ends = order && new Float64Array(outcome.batches.reduce((sum, { rows }) => sum + rows, 0));
  {
    await using rows = await createFileWriter(order ? unordered : join(folder, 'rows.jsonl'));
    await using ledger = await createFileWriter(join(folder, 'ledger.jsonl'));
    let number = 0;
    let written = 0;
    for (const batch of outcome.batches) {
      const states = statesOf(await doneBatch(cache, batch), outcome.names);
      await writeBatch({ states, rows, ledger, accounts });
      if (ends)
        for (const length of states.lengths()) {
          written += length;
          ends[number++] = written;
        }
    }
  }
  if (order && ends) {
    await gather({ from: unordered, to: join(folder, 'rows.jsonl'), order, ends });
    await rm(unordered);
  }
  return accounts.close();
}

async function doneBatch(cache: Cache, { part: name, deltas }: BatchOutcome): Promise<DoneBatch> {
  const bytes = await cache.read(name);
  const part = bytes && decodePart(bytes);
  if (!part) throw new Error(`the part ${name} is gone`);
  return { part, deltas: await Promise.all(deltas.map((delta) => deltaNamed(cache, delta))) };
}

interface GatherRequest {
  readonly from: string;
  readonly to: string;
  /** Numbers of rows, in the order in which they are written. */
  readonly order: Uint32Array;
  /** Where each row ends in `from`. */
  readonly ends: Float64Array;
}

/** Bytes of rows held at once. */
const windowBytes = 2 ** 26;

/** Copies rows in another order: as many as a window holds are read in the order they lie in, then written. */
async function gather({ from, to, order, ends }: GatherRequest): Promise<void> {
  const handle = await open(from);
  try {
    await using writer = await createFileWriter(to);
    const startOf = (row: number): number => (row === 0 ? 0 : (ends[row - 1] ?? 0));
    const lengthOf = (row: number): number => (ends[row] ?? 0) - startOf(row);
    for (let first = 0; first < order.length; ) {
      let bytes = 0;
      let last = first;
      while (last < order.length && (last === first || bytes + lengthOf(order[last] ?? 0) <= windowBytes))
        bytes += lengthOf(order[last++] ?? 0);
      const window = Buffer.allocUnsafe(bytes);
      const places = new Float64Array(last - first);
      for (let i = first, at = 0; i < last; at += lengthOf(order[i++] ?? 0)) places[i - first] = at;
      const byPlace = Uint32Array.from({ length: last - first }, (_, i) => i);
      byPlace.sort((a, b) => (order[first + a] ?? 0) - (order[first + b] ?? 0));
      for (const i of byPlace) {
        const row = order[first + i] ?? 0;
        await handle.read(window, places[i] ?? 0, lengthOf(row), startOf(row));
      }
      await writer.write(window);
      first = last;
    }
  } finally {
    await handle.close();
  }
}
