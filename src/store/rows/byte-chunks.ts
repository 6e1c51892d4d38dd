import type { FileHandle } from 'node:fs/promises';
import { Readable, type Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { MartletError } from '../../core/error.ts';
import { zstdFrames } from './zstd-frames.ts';

export interface ByteChunks {
  readonly chunks: AsyncIterable<Buffer>;
  /** Bytes of the file taken so far, packed as they are. */
  taken(): number;
}

const gzipMagic = [0x1f, 0x8b];
const zstdMagic = [0x28, 0xb5, 0x2f, 0xfd];

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
  const begins = (magic: readonly number[]): boolean => magic.every((byte, index) => start[index] === byte);
  if (begins(gzipMagic)) return gunzipped(handle, request);
  if (begins(zstdMagic)) return unzstd(handle, request);
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

interface PackedRequest {
  readonly file: string;
  readonly signal?: AbortSignal | undefined;
}

const packedChunkBytes = 2 ** 16;

function gunzipped(handle: FileHandle, { file, signal }: PackedRequest): ByteChunks {
  const gunzip = createGunzip();
  const taken = (): number => gunzip.bytesWritten;
  async function* chunks(): AsyncGenerator<Buffer> {
    const { size } = await handle.stat();
    yield* unpacked(handle.createReadStream({ start: 0, autoClose: false, highWaterMark: packedChunkBytes }), gunzip, {
      ...{ file, signal, name: 'gzip', taken },
    });
    if (taken() < size)
      throw damaged({
        file,
        name: 'gzip',
        byte: taken(),
        error: { code: 'Z_DATA_ERROR', message: 'other data follows' },
      });
  }
  return { chunks: chunks(), taken };
}

function unzstd(handle: FileHandle, { file, signal }: PackedRequest): ByteChunks {
  let position = 0;
  const taken = (): number => position;
  const read = async (): Promise<Buffer | null> => {
    const { bytesRead, buffer } = await handle.read(
      Buffer.allocUnsafe(packedChunkBytes),
      0,
      packedChunkBytes,
      position,
    );
    position += bytesRead;
    return bytesRead === 0 ? null : buffer.subarray(0, bytesRead);
  };
  async function* chunks(): AsyncGenerator<Buffer> {
    for await (const frame of zstdFrames(read)) {
      const source = Readable.from(frame, { objectMode: false });
      yield* unpacked(source, createZstdDecompress(), { file, signal, name: 'Zstandard', taken });
    }
  }
  return { chunks: chunks(), taken };
}

async function* unpacked(
  source: Readable,
  unpack: Transform,
  { file, name, signal, taken }: PackedRequest & { readonly name: string; readonly taken: () => number },
): AsyncGenerator<Buffer> {
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
