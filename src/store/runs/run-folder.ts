import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { MartletError } from '../../core/error.ts';
import { readTextIfThere, syncFolder, writeFileAtomic } from '../files/files.ts';
import { leftoverOwner, ownerName, ownerState, ownerToken } from '../files/owner.ts';
import { lineageFile, runMarkerFile } from '../verify-artefact.ts';

const runMarker = z.strictObject({ key: z.string(), owner: z.string() });

/** The first candidate that is unsealed and has the same key, with the process that began it. */
export async function unfinishedRunFolder(request: {
  readonly key: string;
  readonly candidates: readonly string[];
}): Promise<{ readonly folder: string; readonly owner: string } | undefined> {
  for (const folder of request.candidates) {
    const text = await readTextIfThere(join(folder, runMarkerFile));
    if (text === undefined || existsSync(join(folder, lineageFile))) continue;
    const { key, owner } = runMarker.parse(JSON.parse(text));
    if (key === request.key) return { folder, owner };
  }
  return undefined;
}

/**
 * Takes up the first candidate that is unsealed and has the same key, or makes the fresh folder.
 * @throws MartletError `run-busy` when another living process works on it.
 */
export async function beginRunFolder(request: {
  readonly key: string;
  readonly candidates: readonly string[];
  readonly fresh: string;
}): Promise<{ readonly folder: string; readonly resumed: boolean }> {
  const marker = JSON.stringify({ key: request.key, owner: ownerToken() });
  const unfinished = await unfinishedRunFolder(request);
  if (unfinished) {
    const { folder, owner } = unfinished;
    if (ownerState(owner) === 'alive') {
      throw new MartletError('run-busy', `run ${basename(folder)} is being worked on by ${ownerName(owner)}`, {
        hint: 'Wait for it, or stop it first; the run is then taken up where it stopped.',
        retryable: true,
      });
    }
    await sweepHalfWritten(folder);
    await writeFileAtomic(join(folder, runMarkerFile), marker);
    return { folder, resumed: true };
  }
  const work = join(dirname(request.fresh), `.new-${ownerToken()}`);
  await mkdir(work);
  try {
    await writeFile(join(work, runMarkerFile), marker);
    await rename(work, request.fresh);
  } catch (error) {
    await rm(work, { recursive: true, force: true });
    throw error;
  }
  await syncFolder(dirname(request.fresh));
  return { folder: request.fresh, resumed: false };
}

/** A process that was killed while it replaced a file has left the new one beside it; a sealed run would hold that too. */
async function sweepHalfWritten(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const owner = name.startsWith('.') ? leftoverOwner(name) : undefined;
    if (owner !== undefined && ownerState(owner) !== 'alive') await rm(join(folder, name), { force: true });
  }
}
