import { mkdir, readdir, rename, rm, rmdir, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { MartletError } from '../../core/error.ts';
import { hasCode } from './files.ts';
import { leftoverOwner, ownerName, ownerState, ownerToken } from './owner.ts';

const waitLimitMs = 30_000;
/** The work under a lock takes milliseconds, so one of another machine that stands this long was left behind. */
const foreignLimitMs = 600_000;

/** What renaming over a folder that holds something is answered with. */
const takenCodes = process.platform === 'win32' ? ['ENOTEMPTY', 'EEXIST', 'EPERM'] : ['ENOTEMPTY', 'EEXIST'];

/** Tails of the queues inside this process, by lock. */
const queues = new Map<string, Promise<unknown>>();

/**
 * Runs `action` while no other process (and nothing else in this one) holds the same lock.
 *
 * The lock is a folder that holds one file named after its owner. It appears by renaming a prepared folder, which the
 * file system refuses while the lock holds a file, and lets happen over an empty folder. Who finds a dead owner deletes
 * that owner's file by name, so that two who find it at once cannot take the lock from each other.
 * @throws MartletError `locked` when a living owner keeps it for 30 s.
 */
export async function withLock<T>(lock: string, action: () => Promise<T>): Promise<T> {
  const before = queues.get(lock) ?? Promise.resolve();
  const turn = before.then(() => holdLock(lock, action));
  const settled = turn.then(
    () => undefined,
    () => undefined,
  );
  queues.set(lock, settled);
  try {
    return await turn;
  } finally {
    if (queues.get(lock) === settled) queues.delete(lock);
  }
}

async function holdLock<T>(lock: string, action: () => Promise<T>): Promise<T> {
  const token = ownerToken();
  const prepared = join(dirname(lock), `.lock-${token}`);
  await mkdir(prepared, { recursive: true });
  try {
    await writeFile(join(prepared, token), '');
    const deadline = Date.now() + waitLimitMs;
    while (!(await tryRename(prepared, lock))) {
      const owner = await clearDead(lock);
      if (owner === undefined) continue;
      if (Date.now() > deadline) {
        throw new MartletError('locked', `${lock} is held by ${ownerName(owner)}`, {
          hint: `If no Martlet runs on this store any more, remove the folder ${lock}.`,
          retryable: true,
        });
      }
      await wait(1 + Math.random() * 9);
    }
  } catch (error) {
    await rm(prepared, { recursive: true, force: true });
    throw error;
  }
  try {
    await sweepLeftovers(dirname(lock));
    return await action();
  } finally {
    await unlink(join(lock, token));
    await removeEmpty(lock);
  }
}

async function tryRename(prepared: string, lock: string): Promise<boolean> {
  try {
    await rename(prepared, lock);
    return true;
  } catch (error) {
    if (hasCode(error, ...takenCodes)) return false;
    throw error;
  }
}

/** Gives the living owner of a lock; removes a dead one, and gives undefined when the lock may be free now. */
async function clearDead(lock: string): Promise<string | undefined> {
  let owner: string | undefined;
  try {
    [owner] = await readdir(lock);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  if (owner === undefined) {
    await removeEmpty(lock);
    return undefined;
  }
  const file = join(lock, owner);
  const state = ownerState(owner);
  const age = async (): Promise<number> =>
    Date.now() - ((await stat(file).catch(() => undefined))?.mtimeMs ?? Date.now());
  if (state === 'alive' || state === 'self' || (state === 'foreign' && (await age()) < foreignLimitMs)) return owner;
  await rm(file, { force: true });
  await removeEmpty(lock);
  return undefined;
}

async function removeEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch (error) {
    // Another process took the lock between our deletion and now: then the folder is its.
    if (!hasCode(error, 'ENOENT', ...takenCodes)) throw error;
  }
}

/** Removes what dead processes of this machine left half-made beside a lock: hidden, and named after their owner. */
async function sweepLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const token = name.startsWith('.') ? leftoverOwner(name) : undefined;
    if (token !== undefined && ownerState(token) === 'gone')
      await rm(join(folder, name), { recursive: true, force: true });
  }
}
