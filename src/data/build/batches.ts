import { createHash } from 'node:crypto';
import { canonicalJson } from '../../core/canonical-json.ts';
import type { OpenedSource } from '../opened-source.ts';
import type { SourceRow } from '../read-sources.ts';

/** Raw rows that are read together: the unit of work, of resuming and of what is kept from an earlier build. */
export interface Batch {
  /** Counted from 0, those that are passed over too. */
  readonly index: number;
  readonly rows: readonly SourceRow[];
  /** Hash of the raw rows, their places, and how their sources are read. */
  readonly key: string;
  /** The memory the rows' bytes lie in, each only in one batch; to be handed over to a worker. */
  readonly memory: readonly ArrayBuffer[];
}

export interface BatchOptions {
  /** Where a batch ends. What it is decides nothing but speed and how much is done again. */
  readonly bytes?: number;
  readonly rows?: number;
  /** Enters every key: the code that reads, and values that decide how. */
  readonly context: string;
  /** Whether a batch is given; the rows of others are only passed over. All are when absent. */
  readonly wanted?: (index: number) => boolean;
  /** The number of the first, where rows before it are not given. 0 when absent. */
  readonly first?: number;
}

/** Where a batch ends unless told otherwise. */
export const batchSize = { bytes: 2 ** 20, rows: 4096 } as const;

/** Cuts rows into batches, in order. Memory: one batch. */
export async function* batchesOf(
  rows: AsyncIterable<SourceRow>,
  sources: readonly OpenedSource[],
  { bytes = batchSize.bytes, rows: most = batchSize.rows, context, wanted = () => true, first = 0 }: BatchOptions,
): AsyncGenerator<Batch> {
  const descriptions = sources.map(describeSource);
  let next = first;
  const begin = () => {
    const index = next++;
    const isWanted = wanted(index);
    return {
      ...{ index, isWanted, count: 0, used: 0 },
      rows: [] as SourceRow[],
      memory: Buffer.allocUnsafeSlow(isWanted ? bytes : 0),
      more: [] as ArrayBuffer[],
    };
  };
  const finish = (batch: ReturnType<typeof begin>): Batch => {
    const hash = createHash('sha256').update(context);
    for (const index of new Set(batch.rows.map(({ source }) => source)))
      hash.update(`${index} ${descriptions[index]}\n`);
    for (const { source, raw } of batch.rows)
      hash.update(`${source} ${JSON.stringify({ ...raw, bytes: null, offset: 0 })}\n`);
    const memory = [batch.memory.buffer as ArrayBuffer, ...batch.more];
    return { index: batch.index, rows: batch.rows, key: hash.digest('hex'), memory };
  };
  let batch = begin();
  for await (const { source, raw } of rows) {
    const length = raw.bytes?.length ?? 0;
    if (batch.count > 0 && (batch.count === most || batch.used + length > bytes)) {
      if (batch.isWanted) yield finish(batch);
      batch = begin();
    }
    batch.count++;
    if (!batch.isWanted) {
      batch.used += length;
      continue;
    }
    let held: Buffer | null = null;
    if (raw.bytes && length > bytes) {
      held = Buffer.allocUnsafeSlow(length);
      batch.more.push(held.buffer as ArrayBuffer);
    } else if (raw.bytes) held = batch.memory.subarray(batch.used, batch.used + length);
    if (held && raw.bytes) raw.bytes.copy(held);
    batch.used += length;
    batch.rows.push({ source, raw: { ...raw, bytes: held } });
  }
  if (batch.rows.length > 0) yield finish(batch);
}

/** What decides how the rows of a source are read; how many are taken is decided later. */
function describeSource({ values, file, format }: OpenedSource): string {
  return canonicalJson({ ...values, limit: null, file, format: format.name });
}
