import { MartletError } from '../../../core/error.ts';
import type { DoneBatch } from '../batch-states.ts';
import type { Batch } from '../batches.ts';
import { type Delta, decodeDelta } from '../delta-file.ts';
import { decodePart } from '../part-file.ts';
import type { ReadResult } from '../read-part.ts';
import type { WorkerPool } from '../worker-pool.ts';

/** A batch that was read and taken through the steps, in memory. */
export interface DerivedBatch {
  readonly index: number;
  readonly key: string;
  /** Index of each row's source. */
  readonly sources: Uint16Array;
  /** Of each row, where its source has several. */
  readonly files: readonly (string | undefined)[];
  readonly read: ReadResult;
  /** Rows that ended at steps. */
  readonly dropped: Uint32Array;
  /** See `MadeBatch`. */
  readonly feature: Uint8Array | null;
  /** `accounts`: what rows ended for in reading, for the sake of others. */
  done(accounts: Delta): DoneBatch;
}

export interface DeriveRequest {
  readonly batches: AsyncIterable<Batch>;
  readonly pool: WorkerPool;
  /** See `DeriveJob`. */
  readonly decided: (batch: number) => readonly (Uint8Array | null)[];
  readonly signal?: AbortSignal | undefined;
}

/** Batches in their order, as many at once as keep the pool busy. Memory: those; nothing goes through the disk. */
export async function* deriveBatches(request: DeriveRequest): AsyncGenerator<DerivedBatch> {
  const { batches, pool, signal } = request;
  const pending: Promise<DerivedBatch>[] = [];
  for await (const batch of batches) {
    signal?.throwIfAborted();
    const made = derive(batch, request);
    // Whoever waits for it is told; until then it is no unhandled failure.
    made.catch(() => undefined);
    pending.push(made);
    if (pending.length > pool.width * 2) yield await (pending.shift() as Promise<DerivedBatch>);
  }
  for (const made of pending) yield await made;
}

async function derive(batch: Batch, { pool, decided }: DeriveRequest): Promise<DerivedBatch> {
  const { index, key, rows, memory } = batch;
  // The rows go to a thread, with their memory.
  const sources = Uint16Array.from(rows, ({ source }) => source);
  const files = rows.map(({ raw }) => raw.file);
  const job = { kind: 'derive', rows, decided: decided(index) } as const;
  const { read, dropped, made } = await pool.run(job, pool.isApart ? memory : []);
  const part = made && decodePart(bufferOf(made.part));
  if (!read || !made || !part) throw new MartletError('bug', 'a batch that was derived has no part');
  const deltas = made.deltas.map((bytes) => {
    const delta = decodeDelta(bufferOf(bytes));
    if (!delta) throw new MartletError('bug', 'a batch that was derived has a damaged delta');
    return delta;
  });
  return {
    ...{ index, key, sources, files, read, dropped },
    feature: made.feature,
    done: (accounts) => ({ part, deltas: [accounts, ...deltas] }),
  };
}

/** What crossed from another thread is a plain array of bytes. */
const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
