import { open } from 'node:fs/promises';
import { deserialize, serialize } from 'node:v8';
import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib';
import { createFileWriter } from '../../../store/files/file-writer.ts';
import { hasCode } from '../../../store/files/files.ts';

/** What a piece of work has come to know, record by record: whoever does it again after a kill goes on from there. */
export interface Journal<T> extends AsyncDisposable {
  /** With the system when it returns. */
  add(record: T): Promise<void>;
}

/**
 * @param replay told of the records that an earlier process left, in their order; arrays in them are views of the whole
 * record. Memory: one.
 */
export async function openJournal<T>(file: string, replay: (record: T) => Promise<void> | void): Promise<Journal<T>> {
  let keepBytes = 0;
  for await (const { record, bytes } of wholeRecords(file)) {
    // What wrote it is what reads it: the code is part of what names the work.
    await replay(record as T);
    keepBytes += bytes;
  }
  const writer = await createFileWriter(file, { keepBytes });
  return {
    async add(record) {
      const body = deflateRawSync(serialize(record), { level: 1 });
      await writer.write(new Uint8Array(Uint32Array.of(body.length, crc32(body)).buffer));
      await writer.write(body);
      await writer.flush();
    },
    [Symbol.asyncDispose]: () => writer.close(),
  };
}

/** Two little-endian u32 before each: its bytes and their crc. */
const headBytes = 8;

/** Up to the first that is torn or damaged. */
async function* wholeRecords(file: string): AsyncGenerator<{ readonly record: unknown; readonly bytes: number }> {
  const handle = await open(file).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  });
  if (!handle) return;
  try {
    const { size } = await handle.stat();
    const read = async (at: number, length: number): Promise<Buffer> =>
      (await handle.read(Buffer.alloc(length), 0, length, at)).buffer;
    for (let at = 0; at + headBytes <= size; ) {
      const head = await read(at, headBytes);
      const length = head.readUInt32LE(0);
      if (at + headBytes + length > size) return;
      const body = await read(at + headBytes, length);
      if (crc32(body) !== head.readUInt32LE(4)) return;
      const bytes = headBytes + length;
      yield { record: deserialize(inflateRawSync(body)), bytes };
      at += bytes;
    }
  } finally {
    await handle.close();
  }
}
