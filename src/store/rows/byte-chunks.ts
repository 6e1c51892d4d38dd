import type { FileHandle } from 'node:fs/promises';
import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { MartletError } from '../../core/error.ts';

export interface ByteChunks {
  readonly chunks: AsyncIterable<Buffer>;
  /** Bytes of the file taken so far, packed as they are. */
  taken(): number;
}

const packed: readonly (readonly [start: readonly number[], name: string, open: () => Transform])[] = [
  [[0x1f, 0x8b], 'gzip', () => zlib.createGunzip()],
  [[0x28, 0xb5, 0x2f, 0xfd], 'Zstandard', () => zlib.createZstdDecompress()],
];

/**
 * The bytes of a file, unpacked when it begins as gzip or Zstandard does, whatever its name says. One chunk is held at a
 * time, which the next one may write over.
 */
export function byteChunks(
  handle: FileHandle,
  request: {
    readonly file: string;
    /** The first bytes of the file. */
    readonly start: Uint8Array;
    readonly chunkBytes: number;
    readonly signal?: AbortSignal | undefined;
  },
): ByteChunks {
  const { start, signal, chunkBytes } = request;
  const known = packed.find(([magic]) => magic.every((byte, index) => start[index] === byte));
  if (known) return unpacked(handle, { ...request, name: known[1], unpack: known[2]() });
  let taken = 0;
  async function* plain(): AsyncGenerator<Buffer> {
    // One buffer for the whole file: new ones would wait for the collector by the dozen.
    const buffer = Buffer.allocUnsafeSlow(chunkBytes);
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, taken);
      if (bytesRead === 0) return;
      taken += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }
  return { chunks: plain(), taken: () => taken };
}

function unpacked(
  handle: FileHandle,
  request: {
    readonly file: string;
    readonly name: string;
    readonly unpack: Transform;
    readonly chunkBytes: number;
    readonly signal?: AbortSignal | undefined;
  },
): ByteChunks {
  const { file, name, unpack, signal } = request;
  // The decompressors count what they took; their common type does not say so.
  const taken = (): number => (unpack as Transform & { readonly bytesWritten: number }).bytesWritten;
  async function* chunks(): AsyncGenerator<Buffer> {
    const source = handle.createReadStream({ start: 0, autoClose: false, highWaterMark: 2 ** 16 });
    source.on('error', (error) => unpack.destroy(error));
    source.pipe(unpack);
    try {
      for await (const chunk of unpack as AsyncIterable<Buffer>) {
        signal?.throwIfAborted();
        yield chunk;
      }
    } catch (error) {
      signal?.throwIfAborted();
      throw damaged({ file, name, byte: taken(), error });
    } finally {
      source.destroy();
      unpack.destroy();
    }
  }
  return { chunks: chunks(), taken };
}

function damaged({ file, name, byte, error }: { file: string; name: string; byte: number; error: unknown }): Error {
  const { code = '', message = String(error) } = error as NodeJS.ErrnoException;
  if (code === 'Z_BUF_ERROR' || /unexpected end/.test(message))
    return new MartletError('source-damaged', `${file} is cut off: its ${name} stream ends at byte ${byte}`, {
      cause: error,
      hint: 'Copy or download it again.',
    });
  if (!/^(Z_|ERR_ZSTD|ZSTD)/.test(code) && !/zstd|inflate|header|distance|literal|code/i.test(message))
    return error instanceof Error ? error : new Error(message);
  return new MartletError(
    'source-damaged',
    `${file} is damaged: its ${name} stream breaks near byte ${byte} (${message})`,
    {
      cause: error,
      hint: 'Copy or download it again.',
    },
  );
}
