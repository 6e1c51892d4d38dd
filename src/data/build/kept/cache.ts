import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../../../store/files/files.ts';

/** Files by key. What is there is whole (renamed when written), or found out by its own checksum after a power cut. */
export interface Cache {
  readonly folder: string;
  read(name: string): Promise<Buffer | undefined>;
  write(name: string, content: Uint8Array): Promise<void>;
}

export function openCache(folder: string): Cache {
  return {
    folder,
    async read(name) {
      try {
        return await readFile(join(folder, name));
      } catch (error) {
        if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
        throw error;
      }
    },
    async write(name, content) {
      await mkdir(folder, { recursive: true });
      const beside = join(folder, `.${name}.${randomUUID()}`);
      await writeFile(beside, content);
      await rename(beside, join(folder, name));
    },
  };
}

/** Removes everything but `keep`: what other inputs or options once left, and what a killed process did not finish. */
export async function trimCache(folder: string, keep: ReadonlySet<string>): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) if (!keep.has(name)) await rm(join(folder, name), { force: true, recursive: true });
}
