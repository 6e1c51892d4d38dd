import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readTextIfThere, writeFileAtomic } from '../store/files/files.ts';

export interface RememberedRequest<T> {
  readonly folder: string;
  /** Everything the value hangs on, as one hash; null for a value that cannot be known again. */
  readonly key: string | null;
  readonly look: () => Promise<T>;
}

/** A value of JSON that takes long to work out, kept in a file under what it hangs on. */
export async function remembered<T>({ folder, key, look }: RememberedRequest<T>): Promise<T> {
  if (key === null) return look();
  const file = join(folder, `${key}.json`);
  const known = await readTextIfThere(file);
  if (known !== undefined)
    try {
      return JSON.parse(known) as T;
    } catch {
      // Cut short by a power cut: worked out again.
    }
  const value = await look();
  if (value === undefined) return value;
  try {
    await mkdir(folder, { recursive: true });
    await writeFileAtomic(file, JSON.stringify(value));
    await forgetOldest(folder);
  } catch (error) {
    // A folder that cannot be written to costs time, and no more.
    if (!(error instanceof Error && 'syscall' in error)) throw error;
  }
  return value;
}

const mostFiles = 256;

async function forgetOldest(folder: string): Promise<void> {
  const names = await readdir(folder);
  if (names.length <= mostFiles) return;
  const files = await Promise.all(
    names.map(async (name) => ({ name, ms: (await stat(join(folder, name)).catch(() => undefined))?.mtimeMs ?? 0 })),
  );
  const oldest = files.toSorted((a, b) => a.ms - b.ms).slice(0, names.length - mostFiles / 2);
  for (const { name } of oldest) await rm(join(folder, name), { force: true });
}
