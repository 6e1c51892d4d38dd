import { createReadStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createGunzip } from 'node:zlib';
import { MartletError } from '../core/error.ts';

const blockBytes = 512;

/**
 * Writes chosen files of a `.tgz` (POSIX ustar, IEEE Std 1003.1), reading it once and holding one chunk in memory.
 * Links, devices and folders are passed over; permissions are not kept.
 * @param select the path to write a member to, or undefined to leave it out. It alone decides where files go.
 * @returns the members written.
 * @throws MartletError `archive-damaged` when the archive ends in the middle of a member or is no tar file.
 */
export async function extractTarball(options: {
  readonly file: string;
  readonly select: (member: string) => string | undefined;
  readonly signal?: AbortSignal | undefined;
}): Promise<readonly string[]> {
  const written: string[] = [];
  const source = createReadStream(options.file, options.signal ? { signal: options.signal } : {}).pipe(createGunzip());
  const reader = byteReader(source, options.file);
  for (;;) {
    const header = await reader.take(blockBytes);
    if (header === undefined || header.every((byte) => byte === 0)) {
      // Reading to the end lets gzip compare its checksum.
      await reader.finish();
      return written;
    }
    const { name, type, size } = parseHeader(header, options.file);
    const target = type === '0' || type === '\0' ? options.select(name) : undefined;
    if (target === undefined) await reader.drain(size, async () => {});
    else {
      await mkdir(dirname(target), { recursive: true });
      await using handle = await open(target, 'wx');
      await reader.drain(size, async (chunk) => {
        await handle.writeFile(chunk);
      });
      written.push(name);
    }
    await reader.drain((blockBytes - (size % blockBytes)) % blockBytes, async () => {});
  }
}

function parseHeader(header: Uint8Array, file: string): { name: string; type: string; size: number } {
  const text = (start: number, length: number): string => {
    const field = header.subarray(start, start + length);
    const end = field.indexOf(0);
    return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
  };
  // The checksum is the sum of all header bytes with its own eight counted as spaces.
  const sum = header.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 32 : byte), 0);
  const size = Number.parseInt(text(124, 12).trim(), 8);
  if (Number.parseInt(text(148, 8).trim(), 8) !== sum || !(size >= 0))
    throw new MartletError('archive-damaged', `${file} is not a tar archive`);
  const prefix = text(345, 155);
  const name = text(0, 100);
  return { name: prefix ? `${prefix}/${name}` : name, type: text(156, 1) || '\0', size };
}

/** Takes exact numbers of bytes from a stream of chunks of any size. */
function byteReader(source: AsyncIterable<Uint8Array>, file: string) {
  const chunks = source[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array(0);
  const damaged = (cause?: unknown): MartletError =>
    new MartletError('archive-damaged', `${file} ends too early or is not a gzip file`, { cause });

  async function refill(): Promise<boolean> {
    const next = await chunks.next().catch((cause: unknown) => {
      throw cause instanceof Error && cause.name === 'AbortError' ? cause : damaged(cause);
    });
    if (next.done) return false;
    rest = next.value;
    return true;
  }

  async function drain(bytes: number, use: (chunk: Uint8Array) => Promise<void>): Promise<void> {
    let left = bytes;
    while (left > 0) {
      if (rest.length === 0 && !(await refill())) throw damaged();
      const chunk = rest.subarray(0, left);
      await use(chunk);
      rest = rest.subarray(chunk.length);
      left -= chunk.length;
    }
  }

  /** Undefined at the end of the archive. */
  async function take(bytes: number): Promise<Uint8Array | undefined> {
    while (rest.length === 0) if (!(await refill())) return undefined;
    const taken = new Uint8Array(bytes);
    let at = 0;
    await drain(bytes, async (chunk) => {
      taken.set(chunk, at);
      at += chunk.length;
    });
    return taken;
  }
  async function finish(): Promise<void> {
    while (await refill()) rest = new Uint8Array(0);
  }
  return { take, drain, finish };
}
