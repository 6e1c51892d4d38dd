import { mkdir, rmdir, stat, utimes } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const heartbeatMs = 2_000;
const staleMs = 20_000;

/**
 * Runs `work` while no other process holds `path`. The lock is a folder that its holder touches every two seconds; one
 * untouched for twenty belongs to a process that died and is taken over. It saves double work, and no more: what `work`
 * makes must still appear by a rename, so that two holders at once could do no harm.
 */
export async function withFolderLock<T>(
  options: { readonly path: string; readonly onWait?: () => void; readonly signal?: AbortSignal | undefined },
  work: () => Promise<T>,
): Promise<T> {
  await mkdir(dirname(options.path), { recursive: true });
  let waited = false;
  while (!(await tryTake(options.path))) {
    if (!waited) options.onWait?.();
    waited = true;
    await delay(200, undefined, options.signal ? { signal: options.signal } : {});
  }
  const heartbeat = setInterval(() => {
    const now = new Date();
    utimes(options.path, now, now).catch(() => {});
  }, heartbeatMs);
  heartbeat.unref();
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    await rmdir(options.path).catch(() => {});
  }
}

async function tryTake(path: string): Promise<boolean> {
  try {
    await mkdir(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const held = await stat(path).catch(() => undefined);
  if (held && Date.now() - held.mtimeMs > staleMs) await rmdir(path).catch(() => {});
  return false;
}
