import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';

/**
 * Writes a file that appears whole or not at all: beside its final name, flushed to the disk, then renamed.
 * @param write is given a function that appends bytes
 */
export async function writeWhole(
  file: string,
  write: (append: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<void> {
  const working = `${file}.${process.pid}-${randomBytes(4).toString('hex')}.part`;
  const handle = await open(working, 'wx');
  try {
    await write(async (bytes) => {
      for (let done = 0; done < bytes.length; ) {
        // One call writes at most 2 GiB.
        const { bytesWritten } = await handle.write(bytes, done, Math.min(bytes.length - done, 1 << 30));
        done += bytesWritten;
      }
    });
    await handle.sync();
    await handle.close();
    await rename(working, file);
  } catch (error) {
    await handle.close().catch(() => undefined);
    await rm(working, { force: true });
    throw error;
  }
}
