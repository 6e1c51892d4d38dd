import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { MartletError } from '../../../core/error.ts';
import type { LedgerEntry } from '../../../schema/dataset.ts';
import type { OpenedSource } from '../../opened-source.ts';
import type { WholeRows } from '../../steps/step.ts';
import { decodePart, lineOf, type Part, parseLine } from '../part-file.ts';
import { wholeRows } from '../whole-rows.ts';
import type { BatchState } from './batch-state.ts';
import type { Cache } from './cache.ts';

interface CachedRowsRequest {
  readonly cache: Cache;
  readonly batches: readonly BatchState[];
  readonly live: Uint32Array;
  readonly sources: readonly OpenedSource[];
  readonly width: number;
}

/** Out of the cache. Memory: one batch, and of narrow features all. */
export async function cachedRows({ cache, batches, live, sources, width }: CachedRowsRequest): Promise<WholeRows> {
  const names = batches.map(({ feature }) => feature ?? '');
  const features = width <= narrow ? await allFeatures(cache, width > 0 ? names : []) : featuresAtHand(cache, names);
  let held: { readonly name: string; readonly part: Part } | undefined;
  return wholeRows({
    sources: batches.map((batch) => batch.sources),
    live,
    addresses: sources.map(({ values }) => values.from),
    place({ batch, index }) {
      const name = batches[batch]?.part ?? '';
      if (held?.name !== name) held = { name, part: decodePart(readFileSync(join(cache.folder, name))) ?? gone(name) };
      const entry = parseLine<LedgerEntry>(lineOf(held.part.ledger, held.part.ledgerEnds, index));
      return `${entry.file ?? entry.source}:${entry.line}`;
    },
    feature: ({ batch, index }) => features(batch, { start: index * width, end: (index + 1) * width }),
  });
}

/** Bytes a row that are held in memory for all rows. */
const narrow = 64;

type Features = (batch: number, range: { readonly start: number; readonly end: number }) => Uint8Array;

async function allFeatures(cache: Cache, names: readonly string[]): Promise<Features> {
  const all: Buffer[] = [];
  for (const name of names) all.push((await cache.read(name)) ?? gone(name));
  return (batch, { start, end }) => (all[batch] ?? gone(null)).subarray(start, end);
}

/** Batches that follow one another are read as wholes; of any other just the row that is asked for. */
function featuresAtHand({ folder }: Cache, names: readonly string[]): Features {
  let held = { batch: -1, bytes: new Uint8Array() };
  return (batch, { start, end }) => {
    const file = join(folder, names[batch] ?? '');
    if (batch === held.batch + 1) held = { batch, bytes: readFileSync(file) };
    if (batch === held.batch) return held.bytes.subarray(start, end);
    const bytes = new Uint8Array(end - start);
    const descriptor = openSync(file, 'r');
    try {
      if (readSync(descriptor, bytes, 0, bytes.length, start) !== bytes.length) gone(names[batch] ?? null);
    } finally {
      closeSync(descriptor);
    }
    return bytes;
  };
}

function gone(what: string | null): never {
  throw new MartletError('cache-gone', `what was made a moment ago is gone from the cache: ${what}`, {
    hint: 'Let nothing else write there; the same command begins again from what is left.',
  });
}
