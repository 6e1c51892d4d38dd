import { readdir, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { withLock } from '../store/files/lock.ts';

/** A waiter that waits longer than this says so. */
const quietMs = 500;
/** Well below what `withLock` allows an owner on another machine, of which it cannot tell whether it lives. */
const heartbeatMs = 60_000;

/** `withLock` for work of minutes: waits as long as the owner lives, and stops waiting when the signal says so. */
export async function withPatientLock<T>(
  options: { readonly path: string; readonly onWait?: () => void; readonly signal?: AbortSignal | undefined },
  work: () => Promise<T>,
): Promise<T> {
  const { path, signal } = options;
  let begun = false;
  const begin = async (): Promise<T> => {
    signal?.throwIfAborted();
    begun = true;
    clearTimeout(quiet);
    const heartbeat = setInterval(() => void touch(path).catch(() => {}), heartbeatMs).unref();
    try {
      return await work();
    } finally {
      clearInterval(heartbeat);
    }
  };
  const hold = async (): Promise<T> => {
    for (;;) {
      try {
        return await withLock(path, begin);
      } catch (error) {
        if (begun || signal?.aborted || !(MartletError.is(error) && error.code === 'locked')) throw error;
      }
    }
  };
  const quiet = setTimeout(() => options.onWait?.(), quietMs);
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const stop = (): void => {
    if (!begun) reject(signal?.reason);
  };
  signal?.addEventListener('abort', stop, { once: true });
  hold().then(resolve, reject);
  try {
    return await promise;
  } finally {
    clearTimeout(quiet);
    signal?.removeEventListener('abort', stop);
  }
}

async function touch(lock: string): Promise<void> {
  const now = new Date();
  for (const owner of await readdir(lock)) await utimes(join(lock, owner), now, now);
}
