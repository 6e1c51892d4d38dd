import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { crc32, createInflateRaw } from 'node:zlib';
import { MartletError } from '../core/error.ts';

export interface ZipMember {
  readonly name: string;
  readonly bytes: number;
  readonly packedBytes: number;
  readonly method: 'stored' | 'deflate';
  readonly crc32: number;
  /** Of its local header. */
  readonly offset: number;
}

const endBytes = 22;
/** The comment behind the end record holds at most 65,535 bytes. */
const maxTail = endBytes + 0xffff;
const methods: Readonly<Record<number, ZipMember['method']>> = { 0: 'stored', 8: 'deflate' };

/**
 * The files of a zip archive, from its central directory (PKWARE APPNOTE 4.3.12, 4.3.16). Archives beyond 4 GiB (ZIP64),
 * encrypted ones and other methods than deflate are refused.
 * @throws MartletError `bad-zip`
 */
export async function readZip(file: string): Promise<readonly ZipMember[]> {
  await using handle = await open(file, 'r');
  const { size } = await handle.stat();
  const tail = await readAt(handle, { file, start: Math.max(0, size - maxTail), length: Math.min(size, maxTail) });
  const end = tail.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  if (end < 0 || end + endBytes > tail.length) throw bad(file, 'has no end record, so it is no zip archive or was cut');
  const count = tail.readUInt16LE(end + 10);
  const [length, start] = [tail.readUInt32LE(end + 12), tail.readUInt32LE(end + 16)];
  if (start === 0xffffffff || count === 0xffff) throw bad(file, 'is a ZIP64 archive, which is not read here');
  if (start + length > size) throw bad(file, 'has a directory beyond its end');
  const directory = await readAt(handle, { file, start, length });
  const members: ZipMember[] = [];
  for (let at = 0, index = 0; index < count; index++) {
    if (at + 46 > directory.length || directory.readUInt32LE(at) !== 0x02014b50)
      throw bad(file, 'has a damaged directory');
    const [nameLength, extra, comment] = [28, 30, 32].map((offset) => directory.readUInt16LE(at + offset)) as [
      number,
      number,
      number,
    ];
    const name = directory.toString('utf8', at + 46, at + 46 + nameLength);
    const method = methods[directory.readUInt16LE(at + 10)];
    if (method === undefined || (directory.readUInt16LE(at + 8) & 1) !== 0)
      throw bad(file, `packs ${name} in a way that is not read here`);
    members.push({
      name,
      method,
      crc32: directory.readUInt32LE(at + 16),
      packedBytes: directory.readUInt32LE(at + 20),
      bytes: directory.readUInt32LE(at + 24),
      offset: directory.readUInt32LE(at + 42),
    });
    at += 46 + nameLength + extra + comment;
  }
  return members;
}

/**
 * Writes one file of an archive to `target`, checked against the size and the CRC that the directory names.
 * @throws MartletError `bad-zip`
 */
export async function extractZipMember(request: {
  readonly file: string;
  readonly member: ZipMember;
  readonly target: string;
  readonly signal?: AbortSignal | undefined;
}): Promise<void> {
  const { file, member, target, signal } = request;
  await using source = await open(file, 'r');
  const header = await readAt(source, { file, start: member.offset, length: 30 });
  if (header.readUInt32LE(0) !== 0x04034b50) throw bad(file, `has no ${member.name} where its directory says`);
  // The extra field here may differ in length from the one in the directory.
  const start = member.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  const packed =
    member.packedBytes === 0
      ? Readable.from([])
      : createReadStream(file, { start, end: start + member.packedBytes - 1, highWaterMark: 1 << 20 });
  const inflate = member.method === 'deflate' ? createInflateRaw({ chunkSize: 1 << 20 }) : undefined;
  if (inflate) packed.on('error', (error: Error) => inflate.destroy(error)).pipe(inflate);
  await using output = await open(target, 'wx');
  let [written, crc] = [0, 0];
  try {
    for await (const chunk of (inflate ?? packed) as AsyncIterable<Buffer>) {
      signal?.throwIfAborted();
      written += chunk.length;
      if (written > member.bytes) break;
      crc = crc32(chunk, crc);
      await output.writeFile(chunk);
    }
  } catch (error) {
    if (signal?.aborted || !(error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')))
      throw error;
    throw bad(file, `holds a damaged ${member.name}`, error);
  } finally {
    packed.destroy();
  }
  if (written !== member.bytes || crc !== member.crc32) throw bad(file, `holds a damaged ${member.name}`);
}

async function readAt(
  handle: FileHandle,
  { file, start, length }: { file: string; start: number; length: number },
): Promise<Buffer> {
  const target = Buffer.alloc(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await handle.read(target, done, length - done, start + done);
    if (bytesRead === 0) throw bad(file, 'ends too early');
    done += bytesRead;
  }
  return target;
}

function bad(file: string, what: string, cause?: unknown): MartletError {
  return new MartletError('bad-zip', `${file} ${what}`, { cause });
}
