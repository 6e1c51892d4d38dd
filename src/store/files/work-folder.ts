import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MartletError } from '../../core/error.ts';
import { fingerprint } from '../../core/fingerprint.ts';
import { hasCode } from './files.ts';
import { ownerState, ownerToken } from './owner.ts';

export interface WorkRequest {
  /** Of such folders. */
  readonly parent: string;
  /** Names the work: equal keys, equal work. */
  readonly key: string;
  /** What the work is for: what other work for the same left behind is removed, since nobody will go on with it. */
  readonly purpose?: string;
  /** Codes of errors after which the same work may yet succeed. */
  readonly keepAfter?: readonly string[];
}

/**
 * Does a piece of work in a folder of its own, which goes with it. What is done is kept through a kill, and through being
 * stopped; what cannot succeed as it stands is thrown away.
 */
export async function inWorkFolder<T>(
  { parent, key: own, purpose, keepAfter = [] }: WorkRequest,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const family = purpose === undefined ? '' : `${fingerprint(purpose).slice(0, 16)}-`;
  const key = `${family}${own}`;
  const folder = await claimWorkFolder(parent, key);
  if (family !== '') await removeOthers(parent, { family, key });
  try {
    const done = await work(folder);
    await rm(folder, { recursive: true });
    return done;
  } catch (error) {
    if (MartletError.is(error) && !error.retryable && !keepAfter.includes(error.code))
      await rm(folder, { recursive: true, force: true });
    else await releaseWorkFolder(folder, key);
    throw error;
  }
}

/**
 * A folder for a piece of work that outlives the process: whoever does the same work next takes up what a dead one left.
 * Its name ends with its owner, and it changes hands by being renamed, which only one of two can do.
 * @param key names the work
 */
async function claimWorkFolder(parent: string, key: string): Promise<string> {
  await mkdir(parent, { recursive: true });
  const mine = join(parent, `${key}-${ownerToken()}`);
  for (const name of await readdir(parent)) {
    if (!name.startsWith(`${key}-`) || isHeld(name.slice(key.length + 1))) continue;
    try {
      await rename(join(parent, name), mine);
      return mine;
    } catch (error) {
      // Another process was faster.
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }
  await mkdir(mine);
  return mine;
}

async function removeOthers(
  parent: string,
  { family, key }: { readonly family: string; readonly key: string },
): Promise<void> {
  for (const name of await readdir(parent)) {
    const owner = name.slice(family.length).split('-').slice(1).join('-');
    if (!name.startsWith(family) || name.startsWith(`${key}-`) || isHeld(owner)) continue;
    await rm(join(parent, name), { recursive: true, force: true });
  }
}

/** By this process too: it may do the same work twice at once. What it gave up, it gave back. */
function isHeld(owner: string): boolean {
  return owner !== 'free' && ownerState(owner) !== 'gone';
}

/** Leaves the work to whoever comes next. */
async function releaseWorkFolder(folder: string, key: string): Promise<void> {
  const free = join(folder, '..', `${key}-free`);
  try {
    await rename(folder, free);
  } catch (error) {
    // There is one already: the same work, given up before.
    if (!hasCode(error, 'ENOTEMPTY', 'EEXIST', 'EPERM')) throw error;
    await rm(folder, { recursive: true, force: true });
  }
}
