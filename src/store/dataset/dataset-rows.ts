import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MartletError } from '../../core/error.ts';
import type { Sample } from '../../schema/sample.ts';
import { readSampleBlocks } from './read-blocks.ts';
import { readSamples } from './read-samples.ts';

/** Where a line stands in `rows.jsonl`, in bytes, without its end. */
export interface LinePlace {
  readonly start: number;
  readonly length: number;
}

export interface BlocksOptions {
  readonly signal?: AbortSignal | undefined;
  /** So many of the first are left out. */
  readonly skip?: number;
}

/** A line of the sources, or files of them, that somebody means. */
export interface PlaceMeant {
  readonly line: number;
  /** Whether a source is meant by its address, or a file of it. */
  isMeant(name: string): boolean;
}

export interface SamplesOptions {
  readonly split?: Sample['split'];
  /** Rows that began elsewhere may be left out. */
  readonly at?: PlaceMeant | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The rows of a dataset, whether `rows.jsonl` is there or its lines have to be made again. */
export interface DatasetRows {
  /** Bytes of `rows.jsonl`. */
  bytes(): Promise<number>;
  /** Its lines, in pieces of whole ones, cut at the same places each time. Each has its bytes to itself. */
  blocks(options?: BlocksOptions): AsyncIterable<Uint8Array<ArrayBuffer>>;
  /** Lines at these places, which rise, each with its line end; `lines` of them together. */
  linesAt(
    places: readonly LinePlace[],
    signal?: AbortSignal,
  ): AsyncIterable<{ readonly bytes: Uint8Array; readonly lines: number }>;
  samples(options?: SamplesOptions): AsyncIterable<Sample>;
}

/** Bytes of lines that are given together: few enough that whoever shares the thread hardly waits. */
const gatheredBytes = 2 ** 16;

/** Neighbours that are given together. */
export function* gathered(places: readonly LinePlace[]): Generator<readonly LinePlace[]> {
  for (let from = 0; from < places.length; ) {
    let to = from;
    for (let size = 0; to < places.length && size < gatheredBytes; ) size += (places[to++]?.length ?? 0) + 1;
    yield places.slice(from, to);
    from = to;
  }
}

/** Rows that stand in the folder of their dataset. */
export function keptRows(folder: string): DatasetRows {
  const file = join(folder, 'rows.jsonl');
  return {
    bytes: async () => (await stat(file)).size,
    blocks: (options) => readSampleBlocks(folder, options),
    async *linesAt(places, signal) {
      await using handle = await open(file);
      for (const together of gathered(places)) {
        signal?.throwIfAborted();
        const bytes = Buffer.alloc(
          together.reduce((sum, { length }) => sum + length + 1, 0),
          '\n',
        );
        let at = 0;
        for (const { start, length } of together) {
          const { bytesRead } = await handle.read(bytes, at, length, start);
          if (bytesRead !== length) throw rowsChanged();
          at += length + 1;
        }
        yield { bytes, lines: together.length };
      }
    },
    samples: (options) => readSamples(folder, options),
  };
}

/** Thrown for rows that are not what shards were made of. */
export function rowsChanged(cause?: unknown): MartletError {
  return new MartletError('dataset-changed', 'rows of the dataset are not what the shards were made of', {
    cause,
    hint: 'A file was changed. Remove the shards, and build the dataset again.',
  });
}
