import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MartletError } from '../../core/error.ts';
import { fingerprint } from '../../core/fingerprint.ts';
import { ownerToken } from './owner.ts';

const readBytes = 1 << 20;

/** sha-256 of a file in lower-case hex, read in pieces. `sync` also brings its bytes to the disk. */
export async function hashFile(file: string, options: { readonly sync?: boolean } = {}): Promise<string> {
  // Windows flushes only handles that may write.
  const handle = await open(file, options.sync === true && process.platform === 'win32' ? 'r+' : 'r');
  try {
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(readBytes);
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, readBytes, null);
      if (bytesRead === 0) break;
      hash.update(buffer.subarray(0, bytesRead));
    }
    if (options.sync === true) await handle.sync();
    return hash.digest('hex');
  } finally {
    await handle.close();
  }
}

/** Paths of all files below a folder, with `/` between their parts, sorted. Links to files count as files. */
export async function listFiles(folder: string): Promise<string[]> {
  const found: string[] = [];
  const walk = async (path: string): Promise<void> => {
    for (const entry of await readdir(join(folder, path), { withFileTypes: true })) {
      const inside = path === '' ? entry.name : `${path}/${entry.name}`;
      if (entry.isDirectory()) await walk(inside);
      else if (entry.isFile() || (entry.isSymbolicLink() && (await stat(join(folder, inside))).isFile()))
        found.push(inside);
      else throw new MartletError('not-a-file', `${join(folder, inside)} is neither a file nor a folder`);
    }
  };
  await walk('');
  return found.sort();
}

/** sha-256 of every file below a folder, by path inside it, in sorted order; `except` names files that are left out. */
export async function hashFolder(
  folder: string,
  options: { readonly sync?: boolean; readonly except?: readonly string[] } = {},
): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  const folders = new Set<string>([folder]);
  for (const file of await listFiles(folder)) {
    if (options.except?.includes(file)) continue;
    files[file] = await hashFile(join(folder, file), options);
    for (let parent = dirname(join(folder, file)); !folders.has(parent); parent = dirname(parent)) folders.add(parent);
  }
  if (options.sync === true) for (const each of folders) await syncFolder(each);
  return files;
}

/** Bytes of all files below a folder. */
export async function folderBytes(folder: string): Promise<number> {
  const sizes = (await listFiles(folder)).map(async (file) => (await stat(join(folder, file))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** One fingerprint over a whole folder: the paths and hashes of its files. */
export async function folderFingerprint(folder: string): Promise<string> {
  return fingerprint(await hashFolder(folder));
}

/** Makes names in a folder survive a power cut; where the platform cannot, its own journal has to do. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes beside, brings to the disk, renames: a reader sees the old content or the new, never half of it. */
export async function writeFileAtomic(
  file: string,
  content: string | Uint8Array,
  options: { readonly mode?: number } = {},
): Promise<void> {
  const folder = dirname(file);
  await mkdir(folder, { recursive: true });
  const beside = join(folder, `.${basename(file)}.${ownerToken()}`);
  try {
    const handle = await open(beside, 'wx', options.mode ?? 0o666);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(beside, file);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

/**
 * Appends one line and brings it to the disk. A last line that an earlier writer did not finish (it was killed, so nobody
 * was told the line is there) is cut first; one that lacks only its line end gets it. One writer at a time: see `withLock`.
 */
export async function appendLineDurable(file: string, line: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const handle = await open(file, 'a+');
  try {
    const { size } = await handle.stat();
    const torn = await readTail(handle, size);
    if (torn.length > 0) {
      if (isJson(torn)) await handle.appendFile('\n');
      else await handle.truncate(size - torn.length);
    }
    await handle.appendFile(`${line}\n`);
    await handle.sync();
    if (size === 0) await syncFolder(dirname(file));
  } finally {
    await handle.close();
  }
}

/** The bytes after the last line end before position `size`; empty when the file ends with one. */
export async function readTail(handle: FileHandle, size: number): Promise<Buffer> {
  let tail = Buffer.alloc(0);
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - (1 << 16));
    const piece = Buffer.alloc(end - start);
    await handle.read(piece, 0, piece.length, start);
    const lineEnd = piece.lastIndexOf(0x0a);
    tail = Buffer.concat([piece.subarray(lineEnd + 1), tail]);
    if (lineEnd >= 0) break;
    end = start;
  }
  return tail;
}

export interface Line {
  /** Counted from 1. */
  readonly line: number;
  /** Without the line end. */
  readonly bytes: Buffer;
  /** False for a last line without a line end. */
  readonly ended: boolean;
}

/** The lines of a file, one at a time; memory holds the longest line. */
export async function* readLines(file: string): AsyncGenerator<Line> {
  let line = 0;
  let open: Buffer[] = [];
  for await (const piece of createReadStream(file, { highWaterMark: 1 << 18 }) as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = piece.indexOf(0x0a); end >= 0; end = piece.indexOf(0x0a, start)) {
      const rest = piece.subarray(start, end);
      line++;
      yield { line, bytes: open.length > 0 ? Buffer.concat([...open, rest]) : rest, ended: true };
      open = [];
      start = end + 1;
    }
    if (start < piece.length) open.push(piece.subarray(start));
  }
  if (open.length > 0) yield { line: line + 1, bytes: Buffer.concat(open), ended: false };
}

/**
 * The values of a JSON Lines file that Martlet wrote, one at a time. A last line without a line end was never finished and
 * is left out.
 * @throws MartletError `not-json`, with file and line.
 */
export async function* readJsonLines(
  file: string,
): AsyncGenerator<{ readonly line: number; readonly bytes: Buffer; readonly value: unknown }> {
  for await (const { line, bytes, ended } of readLines(file)) {
    if (!ended) return;
    let value: unknown;
    try {
      value = JSON.parse(bytes.toString('utf8'));
    } catch (error) {
      throw new MartletError('not-json', `${file}:${line} is not JSON: ${(error as Error).message}`, { cause: error });
    }
    yield { line, bytes, value };
  }
}

/** Whether an error is one of the file system's, with this code. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

/** A file's text, or undefined when there is none. */
export async function readTextIfThere(file: string): Promise<string | undefined> {
  try {
    const handle = await open(file, 'r');
    try {
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

function isJson(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString('utf8'));
    return true;
  } catch {
    return false;
  }
}
