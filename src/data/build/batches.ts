import { createHash } from 'node:crypto';
import type { SourceRow } from '../read-sources.ts';
import type { OpenedSource } from '../sources.ts';

/** Raw rows that are read together: the unit of work, of resuming and of what is kept from an earlier build. */
export interface Batch {
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
}

const defaultBytes = 2 ** 20;
const defaultRows = 4096;

/** Cuts rows into batches, in order. Memory: one batch. */
export async function* batchesOf(
  rows: AsyncIterable<SourceRow>,
  sources: readonly OpenedSource[],
  { bytes = defaultBytes, rows: most = defaultRows, context }: BatchOptions,
): AsyncGenerator<Batch> {
  const descriptions = sources.map(describeSource);
  const begin = () => ({
    rows: [] as SourceRow[],
    memory: Buffer.allocUnsafeSlow(bytes),
    more: [] as ArrayBuffer[],
    used: 0,
  });
  const finish = (batch: ReturnType<typeof begin>): Batch => {
    const hash = createHash('sha256').update(context);
    for (const index of new Set(batch.rows.map(({ source }) => source)))
      hash.update(`${index} ${descriptions[index]}\n`);
    for (const { source, raw } of batch.rows)
      hash.update(`${source} ${JSON.stringify({ ...raw, bytes: null, offset: 0 })}\n`);
    const memory = [batch.memory.buffer as ArrayBuffer, ...batch.more];
    return { rows: batch.rows, key: hash.digest('hex'), memory };
  };
  let batch = begin();
  for await (const { source, raw } of rows) {
    const length = raw.bytes?.length ?? 0;
    if (batch.rows.length > 0 && (batch.rows.length === most || batch.used + length > bytes)) {
      yield finish(batch);
      batch = begin();
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
  return JSON.stringify({ ...values, limit: null, file, format: format.name });
}
