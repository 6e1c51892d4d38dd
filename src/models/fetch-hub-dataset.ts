import { constants } from 'node:fs';
import { copyFile, link, mkdir, readFile, realpath, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { MartletError } from '../core/error.ts';
import { fingerprintText } from '../core/fingerprint.ts';
import { hasCode, readTextIfThere, writeFileAtomic } from '../store/files.ts';
import { type DatasetSelection, selectDatasetFiles } from '../store/rows/dataset-files.ts';
import { type DownloadLimits, download } from './download.ts';
import { type Fetch, proxiedFetch } from './http.ts';
import { type HubFile, huggingFaceCache, listHub, offlineVariable, openHub } from './hub.ts';

type Env = Readonly<Record<string, string | undefined>>;

export interface HubDatasetRequest extends DatasetSelection {
  readonly kind: 'hf' | 'modelscope';
  readonly id: string;
  readonly revision: string;
  /** `martletHome(env)` */
  readonly home: string;
  readonly env: Env;
  readonly log: (line: string) => void;
  /** Ask no hub. `HF_HUB_OFFLINE` says the same. */
  readonly offline?: boolean | undefined;
  /** Fetch again what is here: a branch may have moved on. */
  readonly refresh?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { what: string; done: number; of: number; unit: 'bytes' }) => void) | undefined;
  /** Through the proxies of the environment unless given. */
  readonly fetch?: Fetch | undefined;
  readonly limits?: { readonly answerMs?: number; readonly download?: Partial<DownloadLimits> };
}

/**
 * The files of subsets and a split of a hub's data set, on this machine: fetched and proven as weights are, and shared with
 * Python's hub client in its cache (`datasets--org--name/{blobs,snapshots}`). What was fetched once is taken without asking.
 * @returns absolute paths, in the order of their rows
 * @throws MartletError of `listHub`, `download` and `selectDatasetFiles`; `offline`
 */
export async function fetchHubDataset(request: HubDatasetRequest): Promise<readonly string[]> {
  const { kind, id, revision, home, env, signal } = request;
  const name = `${kind}:${id}@${revision}`;
  const wanted = JSON.stringify([name, request.parts ?? [], request.split ?? null]);
  const index = join(home, 'datasets', '.index', `${fingerprintText(wanted).slice(0, 32)}.json`);
  const known = request.refresh ? undefined : await filesOf(index);
  if (known) return known;
  const forbidden = offlineVariable(env);
  if (request.offline || forbidden)
    throw new MartletError('offline', `${name} is not on this machine, and no hub is to be asked`, {
      hint: `martlet data build fetches it${forbidden ? `, once ${forbidden} is unset` : ''}.`,
    });
  const hub = await openHub(kind, env);
  const fetch = request.fetch ?? proxiedFetch(env);
  const { answerMs, download: limits = {} } = request.limits ?? {};
  const listing = await listHub(hub, { id, revision, holds: 'datasets', fetch, signal, answerMs });
  const folder =
    kind === 'hf'
      ? join(huggingFaceCache(env), `datasets--${id.replace('/', '--')}`)
      : join(home, 'datasets', `modelscope--${id.replace('/', '--')}`);
  const snapshot = join(
    folder,
    'snapshots',
    listing.commit ?? fingerprintText(JSON.stringify(listing.files)).slice(0, 40),
  );

  let [done, of] = [0, 0];
  const take = async (file: HubFile): Promise<string> => {
    const blob = join(folder, 'blobs', file.digest.hex);
    await download({
      ...file,
      file: blob,
      auth: hub.auth,
      fetch,
      signal,
      limits,
      progress: (gained) => {
        done += gained;
        request.onProgress?.({ what: `fetching ${id}`, done, of, unit: 'bytes' });
      },
    });
    const path = join(snapshot, file.name);
    await point(path, blob);
    return path;
  };
  const card = listing.files.find((file) => file.name === 'README.md');
  const paths = listing.files.map((file) => file.name);
  const selected = selectDatasetFiles({
    ...request,
    name: `${kind}:${id}`,
    paths,
    card: card && (await readFile(await take(card), 'utf8')),
  });
  const files = selected.flatMap((path) => listing.files.find((file) => file.name === path) ?? []);
  of = done + files.reduce((sum, file) => sum + file.bytes, 0);
  request.log(`Fetching ${kind}:${id} from ${hub.endpoint}: ${files.length} ${files.length === 1 ? 'file' : 'files'}`);
  const taken: string[] = [];
  for (const file of files) taken.push(await take(file));
  if (kind === 'hf' && listing.commit !== null && revision !== listing.commit)
    await writeFileAtomic(join(folder, 'refs', revision), listing.commit);
  const bytes = files.map((file) => file.bytes);
  await writeFileAtomic(index, `${JSON.stringify({ dataset: name, files: taken, bytes })}\n`);
  return taken;
}

/** What an index names, if all of it is still there. */
async function filesOf(index: string): Promise<readonly string[] | undefined> {
  try {
    const { files, bytes } = JSON.parse((await readTextIfThere(index)) ?? '{}') as { files: string[]; bytes: number[] };
    const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
    return sizes.every((size, at) => size === bytes[at]) ? files : undefined;
  } catch {
    return undefined;
  }
}

/** A relative link as Python's hub client makes it; where links are not allowed, a second name or a copy. */
async function point(path: string, blob: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await symlink(relative(dirname(path), blob), path).catch(async (error: unknown) => {
    if (hasCode(error, 'EEXIST')) return;
    const real = await realpath(blob);
    await link(real, path).catch(() => copyFile(real, path, constants.COPYFILE_FICLONE));
  });
}
