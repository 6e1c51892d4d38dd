import { rmSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { invariant } from '../core/error.ts';
import { leftoverOwner, ownerState, ownerToken } from '../store/files/owner.ts';
import type { HubFile } from './hub.ts';

/** A file on the disk, until it is given back. */
export interface LentFile extends AsyncDisposable {
  readonly path: string;
}

/** Room on the disk for files of hubs that are fetched when they are read. */
export interface LendingRoom {
  /** Files of one data set that may be asked for. The room is never too small for the largest file of each at once. */
  expect(files: readonly Pick<HubFile, 'bytes'>[]): void;
  /** `fetch` brings it to a path, proven by its digest; called when it is not here. */
  lend(file: HubFile, fetch: (path: string) => Promise<void>): Promise<LentFile>;
}

export interface LendingRoomOptions {
  /** Rooms of processes, each in a folder of its own; those of processes that are gone are removed. */
  readonly folder: string;
  readonly bytes: number;
}

/**
 * Files stay until another needs their room. Those read last go first: a corpus is read again and again from its beginning,
 * so that what was read long ago is wanted soonest.
 */
export function openLendingRoom({ folder, bytes }: LendingRoomOptions): LendingRoom {
  const mine = join(folder, ownerToken());
  const held = new Map<string, { readonly file: HubFile; readonly path: string; readers: number }>();
  let least = 0;
  let opened: Promise<void> | undefined;
  /** One file at a time comes and goes. */
  let turn: Promise<unknown> = Promise.resolve();

  const makeRoom = async (wanted: number): Promise<void> => {
    const room = Math.max(bytes, least);
    const taken = (): number => [...held.values()].reduce((sum, { file }) => sum + file.bytes, 0);
    // A map keeps the order in which its entries were put in, and a file is put in anew when it is lent.
    for (const [key, { path, readers }] of [...held].reverse()) {
      if (taken() + wanted <= room) return;
      if (readers > 0) continue;
      await rm(path, { force: true });
      held.delete(key);
    }
    invariant(taken() + wanted <= room, `${wanted} bytes are wanted of a room of ${room}, where ${taken()} are in use`);
  };
  const bring = async (file: HubFile, fetch: (path: string) => Promise<void>): Promise<LentFile> => {
    opened ??= begin(folder, mine);
    await opened;
    const key = file.digest.hex;
    let entry = held.get(key);
    if (!entry) {
      await makeRoom(file.bytes);
      // The name stays: it says what the file is.
      const path = join(mine, `${key}-${basename(file.name)}`);
      await fetch(path);
      entry = { file, path, readers: 0 };
    }
    const lent = entry;
    lent.readers++;
    held.delete(key);
    held.set(key, lent);
    return {
      path: lent.path,
      [Symbol.asyncDispose]: async () => {
        lent.readers--;
      },
    };
  };
  return {
    expect(files) {
      least += files.reduce((most, file) => Math.max(most, file.bytes), 0);
    },
    lend(file, fetch) {
      const brought = turn.then(() => bring(file, fetch));
      turn = brought.catch(() => undefined);
      return brought;
    },
  };
}

/** Removes rooms of processes that were killed, and this one when the process ends. */
async function begin(folder: string, mine: string): Promise<void> {
  await mkdir(mine, { recursive: true });
  process.once('exit', () => rmSync(mine, { recursive: true, force: true }));
  for (const name of await readdir(folder)) {
    const owner = leftoverOwner(name);
    if (owner && ownerState(owner) === 'gone') await rm(join(folder, name), { recursive: true, force: true });
  }
}
