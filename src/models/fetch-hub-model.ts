import { constants } from 'node:fs';
import { access, copyFile, link, mkdir, readdir, realpath, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { fingerprintText } from '../core/fingerprint.ts';
import { hasCode, readTextIfThere, writeFileAtomic } from '../store/files/files.ts';
import { readJsonObject } from './config.ts';
import { type DownloadLimits, download } from './download.ts';
import type { Fetch } from './http.ts';
import { type HubFile, huggingFaceCache, listHub, offlineVariable, openHub } from './hub.ts';
import { openSafetensors } from './safetensors.ts';

type Env = Readonly<Record<string, string | undefined>>;

export interface HubRequest {
  readonly kind: 'hf' | 'modelscope';
  readonly id: string;
  readonly revision: string;
  readonly env: Env;
  readonly fetch: Fetch;
  readonly offline: boolean;
  /** Ask the hub also for what stands in its cache. */
  readonly refresh: boolean;
  /** For what a hub without a cache of its own has begun. */
  readonly workFolder: string;
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ((done: number, of: number) => void) | undefined;
  readonly answerMs?: number | undefined;
  readonly download?: Partial<DownloadLimits> | undefined;
}

const indexName = 'model.safetensors.index.json';
/** Configuration, tokenizer, template, card and licence. */
const described = /\.(?:json|jinja|model)$|^(?:merges|vocab)\.txt$|^(?:readme|licen[cs]e|notice)[\w.-]*$/i;

/**
 * Puts a hub's model into `folder`. What comes from Hugging Face goes through the cache that Python's hub client uses, in
 * its layout, so that both share it; a whole model that stands there is taken without asking the hub.
 * @returns its licence, and the commit if the hub names one
 * @throws MartletError of `listHub` and `download`; `offline`; `weights-missing`
 */
export async function fetchHubModel(
  folder: string,
  request: HubRequest,
): Promise<{ readonly licence: string | null; readonly commit: string | null }> {
  const { kind, id, env } = request;
  const cache = join(huggingFaceCache(env), `models--${id.replace('/', '--')}`);
  if (kind === 'hf' && !request.refresh) {
    const commit = await takeSnapshot(cache, { folder, revision: request.revision });
    if (commit !== undefined) return { licence: null, commit };
  }
  const forbidden = offlineVariable(env);
  if (request.offline || forbidden)
    throw new MartletError('offline', `${id} is not on this machine, and hubs are not to be asked`, {
      hint: forbidden ? `Unset ${forbidden}, or name a model that is here.` : 'Name a model that is here.',
    });
  const hub = await openHub(kind, env);
  const { files, commit, licence } = await listHub(hub, request);
  const blobs = kind === 'hf' ? join(cache, 'blobs') : join(request.workFolder, fingerprintText(`${kind}:${id}`));
  const blobOf = (file: HubFile): string => join(blobs, file.digest.hex);

  request.log(`Fetching ${kind}:${id} from ${hub.endpoint}`);
  let [done, of] = [0, 0];
  const fetchAll = async (wanted: readonly HubFile[]): Promise<void> => {
    of += wanted.reduce((total, file) => total + file.bytes, 0);
    for (const { url, bytes, digest, ...file } of wanted)
      await download({
        url,
        bytes,
        digest,
        file: blobOf({ ...file, url, bytes, digest }),
        auth: hub.auth,
        fetch: request.fetch,
        signal: request.signal,
        limits: request.download ?? {},
        progress: (gained) => {
          done += gained;
          request.progress?.(done, of);
        },
      });
  };
  const small = files.filter((file) => described.test(file.name));
  await fetchAll(small);
  const index = small.find((file) => file.name === indexName);
  const weights = index ? await shardsIn(blobOf(index), files) : singleFile(files, id);
  await fetchAll(weights);

  const all = [...small, ...weights];
  if (kind === 'hf' && commit !== null) {
    const snapshot = join(cache, 'snapshots', commit);
    await mkdir(snapshot, { recursive: true });
    for (const file of all) await point(join(snapshot, file.name), file.digest.hex, blobOf(file));
    if (request.revision !== commit) await writeFileAtomic(join(cache, 'refs', request.revision), commit);
  }
  for (const file of all) await shareFile(blobOf(file), join(folder, file.name));
  if (kind === 'modelscope') await rm(blobs, { recursive: true, force: true });
  return { licence, commit };
}

/** Takes over what Python's hub client (or we) fetched whole. @returns its commit. */
async function takeSnapshot(
  cache: string,
  { folder, revision }: { folder: string; revision: string },
): Promise<string | undefined> {
  const isCommit = /^[0-9a-f]{40}$/.test(revision);
  const commit = isCommit ? revision : (await readTextIfThere(join(cache, 'refs', revision)))?.trim();
  if (!commit || !/^[0-9a-f]{40}$/.test(commit)) return undefined;
  const snapshot = join(cache, 'snapshots', commit);
  if (!(await isWholeModel(snapshot))) return undefined;
  for (const entry of await readdir(snapshot, { withFileTypes: true })) {
    const weight = entry.name.endsWith('.safetensors');
    if (!entry.isDirectory() && (weight || described.test(entry.name)))
      await shareFile(join(snapshot, entry.name), join(folder, entry.name));
  }
  return commit;
}

async function isWholeModel(folder: string): Promise<boolean> {
  try {
    await access(join(folder, 'config.json'));
    await access(join(folder, 'tokenizer.json'));
    await using _weights = await openSafetensors(folder);
    return true;
  } catch (error) {
    if (MartletError.is(error) || hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}

async function shardsIn(indexFile: string, files: readonly HubFile[]): Promise<HubFile[]> {
  const index = (await readJsonObject(indexFile))?.weight_map;
  const names = new Set(typeof index === 'object' && index !== null ? Object.values(index).map(String) : []);
  return [...names].map((name) => {
    const file = files.find((each) => each.name === name);
    if (!file) throw new MartletError('weights-missing', `${indexName} names ${name}, which the hub does not have`);
    return file;
  });
}

function singleFile(files: readonly HubFile[], id: string): HubFile[] {
  const all = files.filter((file) => file.name.endsWith('.safetensors'));
  const file = all.find((each) => each.name === 'model.safetensors') ?? (all.length === 1 ? all[0] : undefined);
  if (file) return [file];
  const gguf = files.some((each) => /\.gguf$/i.test(each.name));
  throw new MartletError('weights-missing', `${id} has no model.safetensors`, {
    hint: gguf ? 'Download the .gguf file you want and give its path as the address.' : undefined,
  });
}

/** A relative link as Python's hub client makes it; where links are not allowed, a second name or a copy. */
async function point(path: string, blob: string, target: string): Promise<void> {
  await symlink(join('..', '..', 'blobs', blob), path).catch(async (error: unknown) => {
    if (hasCode(error, 'EEXIST')) return;
    await shareFile(target, path);
  });
}

/** One content under two names where the file system can, else a copy. */
async function shareFile(from: string, to: string): Promise<void> {
  const real = await realpath(from);
  await link(real, to).catch(async (error: unknown) => {
    if (hasCode(error, 'EEXIST')) return;
    await copyFile(real, to, constants.COPYFILE_FICLONE);
  });
}
