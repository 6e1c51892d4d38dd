import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fingerprintText } from '../core/fingerprint.ts';
import { type BaseModel, baseModel } from '../schema/model.ts';
import { hasCode, listFiles, readTextIfThere, syncFolder, writeFileAtomic } from '../store/files/files.ts';
import { leftoverOwner, ownerState, ownerToken } from '../store/files/owner.ts';
import { recordFile, recordOf } from './model-record.ts';
import { withPatientLock } from './patient-lock.ts';

/*
 * <home>/models/<slug>-<fingerprint>/   one model, whole, with model.json
 *               .index/<key>.json       which folder an address stands for
 *               .making/<owner>/        what is being made, renamed when it is whole
 *               .locks/  .downloads/    one worker for each address; what may be continued
 */

export interface ResolvedModel {
  readonly folder: string;
  /** The one of the addresses asked for that it was found under. */
  readonly address: string;
  readonly fingerprint: string;
  readonly record: BaseModel;
}

export interface ModelKey {
  /** `martletHome(env)` */
  readonly home: string;
  readonly address: string;
  /** See `addressKey`. */
  readonly key: string;
  /** What the source looked like; another look makes what is cached void. */
  readonly look?: string | undefined;
}

interface IndexEntry {
  readonly key: string;
  readonly folder: string;
  readonly look?: string | undefined;
  /** Only for a folder of the user's own, which nothing is written into. */
  readonly record?: BaseModel;
}

export const modelsFolder = (home: string): string => join(home, 'models');
const indexFolder = (home: string): string => join(modelsFolder(home), '.index');
const keyName = (key: string): string => fingerprintText(key).slice(0, 32);
const indexFile = (home: string, key: string): string => join(indexFolder(home), `${keyName(key)}.json`);

/** What the cache holds for an address. Two small reads. */
export async function cachedModel({ home, address, key, look }: ModelKey): Promise<ResolvedModel | undefined> {
  const entry = await readIndex(indexFile(home, key));
  if (!entry || entry.look !== look) return undefined;
  const record = entry.record ?? (await readRecord(entry.folder));
  return record && { folder: entry.folder, address, fingerprint: record.fingerprint, record };
}

/**
 * Makes a model in the cache unless another process does so meanwhile. It appears whole, by a rename; what two addresses
 * have in common is kept once.
 * @param make fills a new folder with config, weights and tokenizer
 */
export async function keepModel(
  request: ModelKey & {
    /** For the name of the folder. */
    readonly name: string;
    /** Make it although it is there. */
    readonly refresh?: boolean | undefined;
    readonly log: (line: string) => void;
    readonly signal?: AbortSignal | undefined;
  },
  make: (
    folder: string,
  ) => Promise<{ readonly licence?: string | null /** Further addresses. */; readonly keys?: readonly string[] }>,
): Promise<ResolvedModel> {
  const { home, address, key, look, signal } = request;
  const lock = join(modelsFolder(home), '.locks', keyName(key));
  const onWait = () => request.log(`Waiting for another process that fetches ${address}`);
  return withPatientLock({ path: lock, onWait, signal }, async () => {
    const meanwhile = request.refresh ? undefined : await cachedModel(request);
    if (meanwhile) return meanwhile;
    await sweep(home);
    const making = join(modelsFolder(home), '.making', ownerToken());
    await mkdir(making, { recursive: true });
    try {
      const { licence = null, keys = [] } = await make(making);
      const record = await recordOf(making, { address, licence, sync: true });
      await writeFileAtomic(join(making, recordFile), `${JSON.stringify(record, null, 2)}\n`);
      const folder = join(modelsFolder(home), `${slug(request.name)}-${record.fingerprint.slice(0, 12)}`);
      await rename(making, folder).catch((error: unknown) => {
        if (!hasCode(error, 'ENOTEMPTY', 'EEXIST', 'EPERM')) throw error;
      });
      // Where it was there already, that copy counts, and its own record.
      const kept = await readRecord(folder);
      if (!kept) throw new Error(`${folder} is damaged; remove it`);
      await syncFolder(modelsFolder(home));
      for (const each of new Set([key, ...keys])) await writeIndex(home, { key: each, folder, look });
      return { folder, address, fingerprint: kept.fingerprint, record: kept };
    } finally {
      await rm(making, { recursive: true, force: true });
    }
  });
}

/** A folder of the user's own: it stays where it is, and is hashed again only when a file looks changed. */
export async function ownFolder(request: ModelKey & { readonly folder: string }): Promise<ResolvedModel> {
  const { home, address, key, folder } = request;
  const look = await folderLook(folder);
  const known = await cachedModel({ home, address, key, look });
  if (known) return known;
  const record = await recordOf(folder, { address });
  await writeIndex(home, { key, folder, look, record });
  return { folder, address, fingerprint: record.fingerprint, record };
}

/** Size and time of a file, as far as the file system tells. */
export async function fileLook(file: string): Promise<string> {
  const { size, mtimeMs, ctimeMs, ino } = await stat(file);
  return `${size} ${mtimeMs} ${ctimeMs} ${ino}`;
}

async function folderLook(folder: string): Promise<string> {
  const looks = (await listFiles(folder)).map(async (file) => `${file} ${await fileLook(join(folder, file))}`);
  return fingerprintText((await Promise.all(looks)).join('\n'));
}

/** Every model in the cache, with the keys of the addresses that lead to it. */
export async function listModels(
  home: string,
): Promise<{ readonly folder: string; readonly record: BaseModel; readonly keys: readonly string[] }[]> {
  const entries = await readIndexes(home);
  const names = await readdir(modelsFolder(home)).catch(() => []);
  const models = names.sort().map(async (name) => {
    const folder = join(modelsFolder(home), name);
    const record = name.startsWith('.') ? undefined : await readRecord(folder);
    const keys = entries.filter((entry) => entry.folder === folder && !entry.record).map((entry) => entry.key);
    return record ? [{ folder, record, keys }] : [];
  });
  return (await Promise.all(models)).flat();
}

/** Which base models of the cache could be used, for people; undefined when it holds none. */
export async function cachedModelsHint(home: string): Promise<string | undefined> {
  const addresses = (await listModels(home)).map(({ record }) => record.address);
  if (addresses.length === 0) return undefined;
  const more = addresses.length > 5 ? ' ...' : '';
  return `On this machine are: ${addresses.slice(0, 5).join(', ')}${more} (martlet models list).`;
}

/** Removes a model of the cache and every address that leads to it. */
export async function removeModel(home: string, folder: string): Promise<void> {
  for (const entry of await readIndexes(home))
    if (entry.folder === folder) await rm(indexFile(home, entry.key), { force: true });
  // Out of sight first, so that no half of it is ever found.
  const gone = join(modelsFolder(home), '.making', ownerToken());
  await mkdir(join(gone, '..'), { recursive: true });
  await rename(folder, gone);
  await rm(gone, { recursive: true, force: true });
}

/** What processes that are gone have left half made. */
async function sweep(home: string): Promise<void> {
  const making = join(modelsFolder(home), '.making');
  for (const name of await readdir(making).catch(() => [])) {
    const owner = leftoverOwner(name);
    if (owner && ownerState(owner) === 'gone') await rm(join(making, name), { recursive: true, force: true });
  }
}

async function readRecord(folder: string): Promise<BaseModel | undefined> {
  return baseModel.safeParse(await readJson(join(folder, recordFile))).data;
}

async function readIndex(file: string): Promise<IndexEntry | undefined> {
  return (await readJson(file)) as IndexEntry | undefined;
}

async function readIndexes(home: string): Promise<IndexEntry[]> {
  const names = await readdir(indexFolder(home)).catch(() => []);
  const entries = await Promise.all(names.map((name) => readIndex(join(indexFolder(home), name))));
  return entries.filter((entry) => entry !== undefined);
}

async function writeIndex(home: string, entry: IndexEntry): Promise<void> {
  await writeFileAtomic(indexFile(home, entry.key), `${JSON.stringify(entry)}\n`);
}

/** Undefined where there is none, and where it is damaged: then it is made anew. */
async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse((await readTextIfThere(file)) ?? 'null') ?? undefined;
  } catch {
    return undefined;
  }
}

const slug = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60) || 'model';
