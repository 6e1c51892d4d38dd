import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MartletError } from '../../../core/error.ts';
import type { LedgerEntry } from '../../../schema/dataset.ts';
import type { OpenedSource } from '../../sources.ts';
import type { WholeRows } from '../../steps/step.ts';
import { decodePart, lineOf, type Part, parseLine } from '../part-file.ts';
import { wholeRows } from '../whole-rows.ts';
import type { Cache } from './cache.ts';
import type { BatchState } from './run-steps.ts';

interface CachedRowsRequest {
  readonly cache: Cache;
  readonly batches: readonly BatchState[];
  readonly live: Uint32Array;
  readonly sources: readonly OpenedSource[];
  readonly width: number;
}

/** Out of the cache. Memory: their features (`width` bytes a row) and one batch. */
export async function cachedRows({ cache, batches, live, sources, width }: CachedRowsRequest): Promise<WholeRows> {
  const features: Buffer[] = [];
  if (width > 0) for (const { feature } of batches) features.push((await cache.read(feature ?? '')) ?? gone(feature));
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
    feature: (batch) => features[batch] ?? gone(null),
    width,
  });
}

function gone(what: string | null): never {
  throw new MartletError('cache-gone', `what was made a moment ago is gone from the cache: ${what}`, {
    hint: 'Let nothing else write there; the same command begins again from what is left.',
  });
}
