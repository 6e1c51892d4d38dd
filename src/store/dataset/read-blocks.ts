import { open } from 'node:fs/promises';
import { join } from 'node:path';

/** Large enough that handing one over costs nothing beside encoding it, small enough that threads end together. */
const defaultBlockBytes = 2 ** 20;

export interface ReadBlocksOptions {
  readonly blockBytes?: number;
  readonly signal?: AbortSignal | undefined;
  /** So many of the first are left out. */
  readonly skip?: number;
}

/**
 * The rows of a dataset in pieces of whole lines, cut at the same places each time. Each piece has its bytes to itself, so
 * that a thread can be given it without copying.
 */
export async function* readSampleBlocks(
  datasetFolder: string,
  options: ReadBlocksOptions = {},
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { blockBytes = defaultBlockBytes, signal, skip = 0 } = options;
  let seen = 0;
  await using handle = await open(join(datasetFolder, 'rows.jsonl'));
  let block = new Uint8Array(blockBytes);
  let held = 0;
  for (;;) {
    signal?.throwIfAborted();
    const { bytesRead } = await handle.read(block, held, block.length - held, null);
    if (bytesRead === 0) break;
    held += bytesRead;
    if (held < block.length) continue;
    const end = block.lastIndexOf(10) + 1;
    if (end === 0) {
      // One line is longer than the block.
      block = grown(block, block.length * 2);
      continue;
    }
    const rest = block.slice(end);
    if (seen++ >= skip) yield block.slice(0, end);
    held = rest.length;
    block = grown(rest, Math.max(blockBytes, rest.length * 2));
  }
  if (held > 0 && seen >= skip) yield block.slice(0, held);
}

function grown(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(length);
  result.set(bytes);
  return result;
}
