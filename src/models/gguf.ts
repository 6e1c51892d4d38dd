import { type FileHandle, open } from 'node:fs/promises';
import { invariant, MartletError } from '../core/error.ts';
import { nearestName } from '../core/nearest.ts';
import { type GgufHeader, type GgufTensor, type GgufValue, needMore, parseGgufHeader } from './gguf-header.ts';
import { blockSizes, dequantize } from './gguf-quant.ts';

export type { GgufTensor, GgufValue } from './gguf-header.ts';

export interface Gguf extends AsyncDisposable {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  /** @throws MartletError `tensor-missing` */
  info(name: string): GgufTensor;
  /** A whole tensor, dequantized. */
  readFloat32(name: string): Promise<Float32Array>;
  /** The data as it stands. */
  readBytes(name: string): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Vocabularies make headers of 1 to 20 MB; this much of the file is read at first, then twice as much, and so on. */
const firstRead = 4 << 20;
/** No vocabulary comes near; a header that claims more is made to fill the memory. */
const maxHeaderBytes = 512 << 20;
const chunkBytes = 4 << 20;

/**
 * Opens a GGUF file; tensors are read when they are asked for.
 * @throws MartletError `weights-missing` or `bad-gguf`
 */
export async function openGguf(file: string): Promise<Gguf> {
  const handle = await open(file, 'r').catch((cause) => {
    throw new MartletError('weights-missing', `${file} cannot be opened: ${cause.code ?? cause.message}`, { cause });
  });
  const close = async (): Promise<void> => handle.close();
  try {
    const { metadata, tensors: list } = await readHeader(file, handle);
    const tensors = new Map(list.map((tensor) => [tensor.name, tensor]));
    const info = (name: string): GgufTensor => {
      const found = tensors.get(name);
      if (found) return found;
      const nearest = nearestName(name, tensors.keys());
      throw new MartletError('tensor-missing', `${file} has no tensor "${name}"`, {
        hint: nearest && `The nearest is "${nearest}".`,
      });
    };
    const fill = async (target: Uint8Array, position: number): Promise<void> => {
      for (let done = 0; done < target.length; ) {
        const { bytesRead } = await handle.read(target, done, Math.min(target.length - done, 1 << 30), position + done);
        if (bytesRead === 0) throw new MartletError('bad-gguf', `${file} was cut short while it was being read`);
        done += bytesRead;
      }
    };
    return {
      metadata,
      tensors,
      info,
      readBytes: async (name) => {
        const { bytes, offset } = info(name);
        const target = new Uint8Array(bytes);
        await fill(target, offset);
        return target;
      },
      readFloat32: async (name) => {
        const { type, bytes, offset, length } = info(name);
        const [block, blockBytes] = blockSizes[type];
        const result = new Float32Array(length);
        const buffer = new Uint8Array(Math.min(bytes, Math.floor(chunkBytes / blockBytes) * blockBytes));
        for (let done = 0; done < bytes; done += buffer.length) {
          const part = buffer.subarray(0, Math.min(buffer.length, bytes - done));
          await fill(part, offset + done);
          const first = (done / blockBytes) * block;
          dequantize(type, part, result.subarray(first, first + (part.length / blockBytes) * block));
        }
        return result;
      },
      close,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function readHeader(file: string, handle: FileHandle): Promise<GgufHeader> {
  const { size: fileBytes } = await handle.stat();
  for (let length = firstRead; ; length *= 2) {
    const bytes = new Uint8Array(Math.min(length, fileBytes));
    for (let done = 0; done < bytes.length; ) {
      const { bytesRead } = await handle.read(bytes, done, bytes.length - done, done);
      invariant(bytesRead > 0, `${file} shrank while it was being read`);
      done += bytesRead;
    }
    try {
      return parseGgufHeader({ file, bytes, fileBytes });
    } catch (error) {
      if (error !== needMore) throw error;
      if (length >= maxHeaderBytes)
        throw new MartletError('bad-gguf', `${file} has a header of more than ${maxHeaderBytes} bytes`);
    }
  }
}
