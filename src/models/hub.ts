import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { MartletError } from '../core/error.ts';
import type { Digest } from './download.ts';
import { type Auth, type Fetch, request } from './http.ts';

type Env = Readonly<Record<string, string | undefined>>;

export interface HubFile {
  /** Of a model a file name, never a path; of a data set a path with `/` that cannot climb out of a folder. */
  readonly name: string;
  readonly bytes: number;
  readonly digest: Digest;
  readonly url: string;
}

export interface HubListing {
  /** The commit that the revision stands for; null where the hub does not say. */
  readonly commit: string | null;
  readonly files: readonly HubFile[];
  readonly licence: string | null;
}

export interface Hub {
  readonly kind: 'hf' | 'modelscope';
  /** Without a slash at the end. */
  readonly endpoint: string;
  readonly auth: Auth | undefined;
}

/** How long a hub may take to say what it has, before the next address is tried. */
const answerMs = 5_000;
/** A name that can go into a folder and a URL as it is. */
const plainName = /^[\w][\w.+ -]*$/;
const plainPath = /^[\w][\w.+ =,()[\]-]*(?:\/[\w][\w.+ =,()[\]-]*)*$/;
/** Files that ModelScope lists on one page. */
const pageFiles = 200;
const truthy = (value: string | undefined): boolean => /^(1|on|yes|true)$/i.test(value ?? '');

/** The variable of the environment that forbids to ask hubs, in the words that Python's hub client knows. */
export function offlineVariable(env: Env): string | undefined {
  return ['HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE'].find((name) => truthy(env[name]));
}

/** `HF_ENDPOINT`, `HF_TOKEN` (or the token that `hf auth login` keeps), `MODELSCOPE_DOMAIN`, `MODELSCOPE_API_TOKEN`. */
export async function openHub(kind: Hub['kind'], env: Env): Promise<Hub> {
  const clean = (url: string): string => (/^https?:/.test(url) ? url : `https://${url}`).replace(/\/+$/, '');
  if (kind === 'modelscope') {
    const token = env.MODELSCOPE_API_TOKEN;
    const endpoint = clean(env.MODELSCOPE_DOMAIN || 'https://www.modelscope.cn');
    // As ModelScope's own client sends it.
    return { kind, endpoint, auth: token ? { cookie: `m_session_id=${token}` } : undefined };
  }
  const stored = (): Promise<string> =>
    readFile(env.HF_TOKEN_PATH || join(huggingFaceHome(env), 'token'), 'utf8').catch(() => '');
  const implicit = !truthy(env.HF_HUB_DISABLE_IMPLICIT_TOKEN);
  const token = env.HF_TOKEN || (implicit ? (await stored()).trim() : '');
  const endpoint = clean(env.HF_ENDPOINT || 'https://huggingface.co');
  return { kind, endpoint, auth: token ? { authorization: `Bearer ${token}` } : undefined };
}

/** Where Python's hub client keeps what it fetches: `<cache>/models--org--name/{blobs,refs,snapshots}`. */
export function huggingFaceCache(env: Env): string {
  return env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(huggingFaceHome(env), 'hub');
}

function huggingFaceHome(env: Env): string {
  const cache = env.XDG_CACHE_HOME || join(env.HOME || env.USERPROFILE || homedir(), '.cache');
  return env.HF_HOME || join(cache, 'huggingface');
}

/**
 * Asks a hub what the repository of a model or of a data set holds at a revision.
 * @throws MartletError `hub-silent` (retryable) when it does not answer in time or cannot be reached, `not-found`,
 * `access-denied`, `bad-hub-answer`
 */
export async function listHub(hub: Hub, options: ListOptions): Promise<HubListing> {
  const { id, revision, holds = 'models' } = options;
  const rev = encodeURIComponent(revision);
  if (hub.kind === 'hf') {
    const answer = await askHub(hub, `/api/${holds}/${id}/revision/${rev}?blobs=true`, options);
    return readHuggingFace(hub, { id, holds, answer });
  }
  if (holds === 'models') {
    const answer = await askHub(hub, `/api/v1/models/${id}/repo/files?Revision=${rev}&Recursive=true`, options);
    return readModelScope(hub, { id, revision, holds, answer });
  }
  const files: HubFile[] = [];
  for (let page = 1; ; page++) {
    const query = `Revision=${rev}&Root=%2F&Recursive=true&PageNumber=${page}&PageSize=${pageFiles}`;
    const answer = await askHub(hub, `/api/v1/datasets/${id}/repo/tree?${query}`, options);
    const listing = readModelScope(hub, { id, revision, holds, answer });
    const known = new Set(files.map((file) => file.name));
    // A hub that knows no pages gives the same one again.
    files.push(...listing.files.filter((file) => !known.has(file.name)));
    if (listing.entries < pageFiles || known.has(listing.files[0]?.name ?? '')) return { ...listing, files };
  }
}

export interface ListOptions {
  readonly id: string;
  readonly revision: string;
  /** What the repository holds; models unless given. */
  readonly holds?: 'models' | 'datasets' | undefined;
  readonly fetch: Fetch;
  readonly signal?: AbortSignal | undefined;
  readonly answerMs?: number | undefined;
}

async function askHub(hub: Hub, path: string, options: ListOptions): Promise<unknown> {
  const { fetch, signal } = options;
  const limit = options.answerMs ?? answerMs;
  const timeout = AbortSignal.timeout(limit);
  try {
    const response = await request(`${hub.endpoint}${path}`, {
      fetch,
      auth: hub.auth,
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    return await response.json();
  } catch (error) {
    signal?.throwIfAborted();
    if (MartletError.is(error)) throw error;
    if (error instanceof SyntaxError) throw bad(hub, 'what it sends is not JSON', error);
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    const why = timeout.aborted ? `did not answer within ${limit / 1000} s` : `cannot be reached: ${cause}`;
    throw new MartletError('hub-silent', `${hub.endpoint} ${why}`, {
      cause: error,
      retryable: true,
      hint: 'Check the network and the address of the hub (HF_ENDPOINT, MODELSCOPE_DOMAIN), or try later.',
    });
  }
}

const size = z.number().int().nonnegative();
const huggingFaceAnswer = z.object({
  sha: z.string().regex(/^[0-9a-f]{40}$/),
  siblings: z.array(
    z.object({
      rfilename: z.string(),
      size: size.optional(),
      blobId: z.string().optional(),
      lfs: z.object({ sha256: z.string(), size }).nullish(),
    }),
  ),
  cardData: z.object({ license: z.unknown(), license_name: z.unknown() }).partial().nullish(),
});

interface Answer {
  readonly id: string;
  readonly holds: 'models' | 'datasets';
  readonly answer: unknown;
}

const escapedPath = (path: string): string => path.split('/').map(encodeURIComponent).join('/');

function readHuggingFace(hub: Hub, { id, holds, answer }: Answer): HubListing {
  const { success, data, error } = huggingFaceAnswer.safeParse(answer);
  if (!success) throw bad(hub, z.prettifyError(error));
  const files = data.siblings.flatMap((file): HubFile[] => {
    const { rfilename: name, lfs, blobId } = file;
    const bytes = lfs?.size ?? file.size;
    const digest: Digest = lfs
      ? { algorithm: 'sha256', hex: lfs.sha256 }
      : { algorithm: 'git-sha1', hex: blobId ?? '' };
    if (!nameForms[holds].test(name) || bytes === undefined) return [];
    const repository = holds === 'models' ? id : `datasets/${id}`;
    const url = `${hub.endpoint}/${repository}/resolve/${data.sha}/${escapedPath(name)}`;
    return [{ name, bytes, digest: proper(digest, { hub, name }), url }];
  });
  const { license, license_name: named } = data.cardData ?? {};
  const licence = license === 'other' && typeof named === 'string' ? named : license;
  return { commit: data.sha, files, licence: typeof licence === 'string' ? licence : null };
}

const nameForms = { models: plainName, datasets: plainPath };

const modelScopeAnswer = z.object({
  Data: z.object({
    Files: z.array(z.object({ Path: z.string(), Type: z.string(), Size: size, Sha256: z.string().nullish() })),
  }),
});

function readModelScope(
  hub: Hub,
  { id, revision, holds, answer }: Answer & { readonly revision: string },
): HubListing & { readonly entries: number } {
  const { success, data, error } = modelScopeAnswer.safeParse(answer);
  if (!success) throw bad(hub, z.prettifyError(error));
  const named = data.Data.Files.filter(({ Path, Type }) => Type === 'blob' && nameForms[holds].test(Path));
  const files = named.map((file) => {
    const digest: Digest = { algorithm: 'sha256', hex: file.Sha256 ?? '' };
    const [rev, path] = [encodeURIComponent(revision), encodeURIComponent(file.Path)];
    const url =
      holds === 'models'
        ? `${hub.endpoint}/models/${id}/resolve/${rev}/${path}`
        : `${hub.endpoint}/api/v1/datasets/${id}/repo?Source=SDK&Revision=${rev}&FilePath=${path}&View=false`;
    return { name: file.Path, bytes: file.Size, digest: proper(digest, { hub, name: file.Path }), url };
  });
  return { commit: null, files, licence: null, entries: data.Data.Files.length };
}

/** A digest also names a file on this disk. */
function proper(digest: Digest, { hub, name }: { hub: Hub; name: string }): Digest {
  const digits = { sha256: 64, 'git-sha1': 40 }[digest.algorithm];
  if (digest.hex.length === digits && /^[0-9a-f]+$/.test(digest.hex)) return digest;
  throw bad(hub, `it gives no ${digest.algorithm} for ${name}`);
}

function bad(hub: Hub, what: string, cause?: unknown): MartletError {
  return new MartletError('bad-hub-answer', `${hub.endpoint} answers what no hub does: ${what}`, { cause });
}
