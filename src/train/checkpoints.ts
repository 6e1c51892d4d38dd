import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { fingerprint } from '../core/fingerprint.ts';
import { type Checkpoint, checkpoint } from '../schema/checkpoint.ts';
import { hasCode, hashFolder, syncFolder } from '../store/files/files.ts';
import { parseDocument } from '../store/read-document.ts';

const manifestFile = 'checkpoint.json';
const namePattern = /^step-(\d{6,})$/;
/** Half made, or half removed: what a killed process leaves behind. */
const leftoverPattern = /^\.step-\d{6,}\.(partial|removed)$/;

export interface SavedCheckpoint {
  /** Inside the run: `checkpoints/step-000120`. */
  readonly path: string;
  readonly step: number;
  readonly fingerprint: string;
}

/** Which checkpoints stay. */
export interface Keep {
  readonly count: number;
  /** Steps between those that are made by plan; any other comes of a stop. */
  readonly every: number;
}

export interface SaveRequest {
  readonly runFolder: string;
  readonly step: number;
  readonly planHash: string;
  readonly adapter: Checkpoint['adapter'];
  readonly keep: Keep;
  /** Fills an empty folder. */
  readonly write: (folder: string) => Promise<void>;
}

/** Writes beside, hashes, then renames: a checkpoint under its final name is whole. Older ones go only after that. */
export async function saveCheckpoint(request: SaveRequest): Promise<SavedCheckpoint> {
  const { runFolder, step } = request;
  const parent = join(runFolder, 'checkpoints');
  const name = stepName(step);
  const work = join(parent, `.${name}.partial`);
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { recursive: true });
  try {
    await request.write(work);
    const files = await hashFolder(work, { sync: true });
    const manifest: Checkpoint = {
      schema: 'checkpoint/1',
      step,
      planHash: request.planHash,
      adapter: request.adapter,
      files,
    };
    await writeFile(join(work, manifestFile), `${JSON.stringify(manifest, null, 2)}\n`, { flush: true });
    await removeCheckpoint(parent, step);
    await rename(work, join(parent, name));
    await syncFolder(parent);
    await removeOlder({ runFolder, step, keep: request.keep });
    return { path: `checkpoints/${name}`, step, fingerprint: fingerprint(manifest) };
  } catch (error) {
    await rm(work, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Brings the checkpoints of a run that was killed to where they would be had it not been: what was half made or half
 * removed goes, and so do those that did not stay when the one it resumes from was made.
 */
export async function tidyCheckpoints(request: {
  readonly runFolder: string;
  readonly resumed: SavedCheckpoint | undefined;
  readonly keep: Keep;
}): Promise<void> {
  const { runFolder, resumed, keep } = request;
  const parent = join(runFolder, 'checkpoints');
  for (const name of await namesIn(parent))
    if (leftoverPattern.test(name)) await rm(join(parent, name), { recursive: true, force: true });
  if (resumed) await removeOlder({ runFolder, step: resumed.step, keep });
}

/** Those of stops go before those of the plan, so that a run which was stopped ends with the checkpoints of one that was not. */
async function removeOlder(request: {
  readonly runFolder: string;
  readonly step: number;
  readonly keep: Keep;
}): Promise<void> {
  const { runFolder, keep } = request;
  const parent = join(runFolder, 'checkpoints');
  const older = (await listSteps(parent)).filter((step) => step < request.step);
  const planned = (step: number): boolean => step % keep.every === 0;
  const leaving = [...older.filter((step) => !planned(step)), ...older.filter(planned)];
  for (const step of leaving.slice(0, Math.max(0, older.length - (keep.count - 1))))
    await removeCheckpoint(parent, step);
}

/** Under its own name a checkpoint is whole: it loses the name before it loses files. */
async function removeCheckpoint(parent: string, step: number): Promise<void> {
  const name = stepName(step);
  const removed = join(parent, `.${name}.removed`);
  try {
    await rename(join(parent, name), removed);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  await rm(removed, { recursive: true, force: true });
}

/** The newest checkpoint whose files are all as they were written; broken ones are passed over. */
export async function newestCheckpoint(runFolder: string, planHash: string): Promise<SavedCheckpoint | undefined> {
  const parent = join(runFolder, 'checkpoints');
  for (const step of (await listSteps(parent)).toReversed()) {
    const path = `checkpoints/${stepName(step)}`;
    const found = await readCheckpoint(join(runFolder, path));
    if (found && found.planHash === planHash) return { path, step, fingerprint: fingerprint(found) };
  }
  return undefined;
}

/** The manifest of a checkpoint whose files agree with it. @throws MartletError `document-unreadable` for one of another version */
async function readCheckpoint(folder: string): Promise<Checkpoint | undefined> {
  try {
    const file = join(folder, manifestFile);
    const manifest = await parseDocument(JSON.parse(await readFile(file, 'utf8')), { file, schema: checkpoint });
    const files = await hashFolder(folder, { except: [manifestFile] });
    return fingerprint(files) === fingerprint(manifest.files) ? manifest : undefined;
  } catch (error) {
    // What is whole and not understood must not be passed over in silence: a run would begin anew.
    if (MartletError.is(error)) throw error;
    return undefined;
  }
}

async function listSteps(parent: string): Promise<number[]> {
  return (await namesIn(parent))
    .map((name) => namePattern.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

const stepName = (step: number): string => `step-${String(step).padStart(6, '0')}`;
