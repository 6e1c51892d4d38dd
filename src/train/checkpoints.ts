import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fingerprint } from '../core/fingerprint.ts';
import { type Checkpoint, checkpoint } from '../schema/checkpoint.ts';
import { hashFolder, syncFolder } from '../store/files.ts';

const manifestFile = 'checkpoint.json';
const namePattern = /^step-(\d{6,})$/;

export interface SavedCheckpoint {
  /** Inside the run: `checkpoints/step-000120`. */
  readonly path: string;
  readonly step: number;
  readonly fingerprint: string;
}

export interface SaveRequest {
  readonly runFolder: string;
  readonly step: number;
  readonly planHash: string;
  readonly adapter: Checkpoint['adapter'];
  readonly keep: number;
  /** Fills an empty folder. */
  readonly write: (folder: string) => Promise<void>;
}

/** Writes beside, hashes, then renames: a checkpoint under its final name is whole. Older ones go only after that. */
export async function saveCheckpoint(request: SaveRequest): Promise<SavedCheckpoint> {
  const { runFolder, step } = request;
  const parent = join(runFolder, 'checkpoints');
  const name = `step-${String(step).padStart(6, '0')}`;
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
    await rm(join(parent, name), { recursive: true, force: true });
    await rename(work, join(parent, name));
    await syncFolder(parent);
    const saved = { path: `checkpoints/${name}`, step, fingerprint: fingerprint(manifest) };
    for (const old of (await listSteps(parent))
      .filter((each) => each < step)
      .slice(0, -Math.max(0, request.keep - 1) || undefined))
      await rm(join(parent, `step-${String(old).padStart(6, '0')}`), { recursive: true, force: true });
    return saved;
  } catch (error) {
    await rm(work, { recursive: true, force: true });
    throw error;
  }
}

/** The newest checkpoint whose files are all as they were written; broken ones are passed over. */
export async function newestCheckpoint(runFolder: string, planHash: string): Promise<SavedCheckpoint | undefined> {
  const parent = join(runFolder, 'checkpoints');
  for (const step of (await listSteps(parent)).toReversed()) {
    const path = `checkpoints/step-${String(step).padStart(6, '0')}`;
    const found = await readCheckpoint(join(runFolder, path));
    if (found && found.planHash === planHash) return { path, step, fingerprint: fingerprint(found) };
  }
  return undefined;
}

/** The manifest of a checkpoint whose files agree with it. */
async function readCheckpoint(folder: string): Promise<Checkpoint | undefined> {
  try {
    const manifest = checkpoint.parse(JSON.parse(await readFile(join(folder, manifestFile), 'utf8')));
    const files = await hashFolder(folder, { except: [manifestFile] });
    return fingerprint(files) === fingerprint(manifest.files) ? manifest : undefined;
  } catch {
    return undefined;
  }
}

async function listSteps(parent: string): Promise<number[]> {
  const names = await readdir(parent).catch(() => []);
  return names
    .map((name) => namePattern.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
}
