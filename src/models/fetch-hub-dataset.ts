import { constants } from 'node:fs';
import { copyFile, link, mkdir, readFile, realpath, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { z } from 'zod';
import { MartletError } from '../core/error.ts';
import { fingerprintText } from '../core/fingerprint.ts';
import { hasCode, hashFile, readTextIfThere, writeFileAtomic } from '../store/files/files.ts';
import { type DatasetSelection, selectDatasetFiles } from '../store/rows/dataset-files.ts';
import type { DatasetFile } from '../store/rows/open-parts.ts';
import { type DownloadLimits, download } from './download.ts';
import { type Fetch, proxiedFetch } from './http.ts';
import { type Hub, type HubFile, type HubListing, huggingFaceCache, listHub, offlineVariable, openHub } from './hub.ts';
import type { LendingRoom, LentFile } from './lending-room.ts';

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

/** A data set as a hub lists it. */
interface AskedDataset {
  readonly hub: Hub;
  readonly listing: HubListing;
  /** Of the hub's cache, with `blobs` and `snapshots`. */
  readonly folder: string;
  readonly snapshot: string;
  /** Of the subset and split, in the order of their rows. */
  readonly files: readonly HubFile[];
  /** Into the cache; gives its path there. */
  readonly take: (file: HubFile) => Promise<string>;
}

/**
 * The files of subsets and a split of a hub's data set, on this machine: fetched and proven as weights are, and shared with
 * Python's hub client in its cache (`datasets--org--name/{blobs,snapshots}`). What was fetched once is taken without asking.
 * @returns absolute paths, in the order of their rows
 * @throws MartletError of `listHub`, `download` and `selectDatasetFiles`; `offline`
 */
export async function fetchHubDataset(request: HubDatasetRequest): Promise<readonly string[]> {
  const { kind, id, revision } = request;
  const index = indexOf(request);
  const known = request.refresh ? undefined : await readIndex(index);
  if (known && (await areThere(known.files))) return known.files.map(({ path }) => path);
  const { hub, listing, folder, files, take } = await askDataset(request);
  request.log(`Fetching ${kind}:${id} from ${hub.endpoint}: ${files.length} ${files.length === 1 ? 'file' : 'files'}`);
  const taken: string[] = [];
  for (const file of files) taken.push(await take(file));
  if (kind === 'hf' && listing.commit !== null && revision !== listing.commit)
    await writeFileAtomic(join(folder, 'refs', revision), listing.commit);
  await writeIndex(index, request, withPaths(files, taken));
  return taken;
}

/**
 * The same files without fetching them: each says where it would stand, and is fetched into the room when it is read, unless
 * it stands there. Which files they are is asked once, so that every reading is of the same commit.
 * @throws MartletError of `listHub` and `selectDatasetFiles`; `offline`
 */
export async function lendHubDataset(request: HubDatasetRequest, room: LendingRoom): Promise<readonly DatasetFile[]> {
  const index = indexOf(request);
  const known = request.refresh ? undefined : await readIndex(index);
  let files = known?.files;
  if (!files) {
    const asked = await askDataset(request);
    const paths = asked.files.map((file) => join(asked.snapshot, file.name));
    files = withPaths(asked.files, paths);
    await writeIndex(index, request, files);
  }
  room.expect(files);
  return Promise.all(
    files.map(async ({ path, ...file }): Promise<DatasetFile> => {
      if (await areThere([{ path, ...file }])) return { file: path, bytes: file.bytes };
      const lend = (): Promise<LentFile> => room.lend(file, (to) => fetchHubFile(request, file, to));
      return { file: path, bytes: file.bytes, lent: { lend, sha256: () => sha256Of(file, { request, lend }) } };
    }),
  );
}

/** To a place of its own. */
async function fetchHubFile(request: HubDatasetRequest, ...[file, path]: [HubFile, string]): Promise<void> {
  const { kind, id, env, signal } = request;
  requireOnline(request, file.name);
  const { auth } = await openHub(kind, env);
  let done = 0;
  await download({
    ...{ ...file, file: path, auth, signal },
    fetch: request.fetch ?? proxiedFetch(env),
    limits: request.limits?.download ?? {},
    progress: (gained) => {
      done += gained;
      request.onProgress?.({ what: `fetching ${id} ${file.name}`, done, of: file.bytes, unit: 'bytes' });
    },
  });
}

async function askDataset(request: HubDatasetRequest): Promise<AskedDataset> {
  const { kind, id, revision, home, env, signal } = request;
  requireOnline(request, `${kind}:${id}@${revision}`);
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
  return { hub, listing, folder, snapshot, files, take };
}

function requireOnline({ offline, env }: Pick<HubDatasetRequest, 'offline' | 'env'>, what: string): void {
  const forbidden = offlineVariable(env);
  if (!offline && !forbidden) return;
  throw new MartletError('offline', `${what} is not on this machine, and no hub is to be asked`, {
    hint: `martlet data build fetches it${forbidden ? `, once ${forbidden} is unset` : ''}.`,
  });
}

/** A file of a data set, and where it stands or would stand. */
type PlacedFile = HubFile & { readonly path: string };

const withPaths = (files: readonly HubFile[], paths: readonly string[]): readonly PlacedFile[] =>
  files.map((file, at) => ({ ...file, path: paths[at] ?? '' }));

const indexFolder = (home: string): string => join(home, 'datasets', '.index');
const nameOf = ({ kind, id, revision }: HubDatasetRequest): string => `${kind}:${id}@${revision}`;

/** Which files a data set was when it was asked for: named by what was asked. */
function indexOf(request: HubDatasetRequest): string {
  const wanted = JSON.stringify([nameOf(request), request.parts ?? [], request.split ?? null]);
  return join(indexFolder(request.home), `${fingerprintText(wanted).slice(0, 32)}.json`);
}

async function writeIndex(
  file: string,
  ...[request, files]: [HubDatasetRequest, readonly PlacedFile[]]
): Promise<void> {
  await writeFileAtomic(file, `${JSON.stringify({ dataset: nameOf(request), files })}\n`);
}

/** Undefined where there is none, and for one that is damaged or of another version: then the hub is asked. */
async function readIndex(file: string): Promise<{ readonly files: readonly PlacedFile[] } | undefined> {
  try {
    return datasetIndex.parse(JSON.parse((await readTextIfThere(file)) ?? 'null'));
  } catch {
    return undefined;
  }
}

const datasetIndex = z.object({
  files: z.array(
    z.object({
      name: z.string(),
      bytes: z.number(),
      digest: z.object({ algorithm: z.enum(['sha256', 'git-sha1']), hex: z.string() }),
      url: z.string(),
      path: z.string(),
    }),
  ),
});

async function areThere(files: readonly PlacedFile[]): Promise<boolean> {
  const sizes = await Promise.all(files.map(({ path }) => stat(path).catch(() => undefined)));
  return files.every(({ bytes }, at) => sizes[at]?.size === bytes);
}

interface Sha256Request {
  readonly request: HubDatasetRequest;
  readonly lend: () => Promise<LentFile>;
}

/** As the hub says it. Of a file that the hub knows by git's hash it is worked out once, and kept by that. */
async function sha256Of({ digest }: HubFile, { request, lend }: Sha256Request): Promise<string> {
  if (digest.algorithm === 'sha256') return digest.hex;
  const memo = join(indexFolder(request.home), `${digest.hex}.sha256`);
  const known = await readTextIfThere(memo);
  if (known && /^[0-9a-f]{64}$/.test(known)) return known;
  await using file = await lend();
  const sha256 = await hashFile(file.path);
  await writeFileAtomic(memo, sha256);
  return sha256;
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
