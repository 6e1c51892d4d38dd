import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { type Environment, findEnvironment } from './catalogue.ts';
import { withFolderLock } from './folder-lock.ts';
import { type EnvironmentLock, readLock } from './lock.ts';
import { buildNodeEnvironment } from './node-environment.ts';
import { type BuildOptions, buildPythonEnvironment, pythonIn } from './python-environment.ts';

export interface EnsureEnvironmentOptions extends BuildOptions {
  readonly name: string;
  /** `martletHome(env)`. */
  readonly home: string;
  /** Build it anew even where it is ready. */
  readonly force?: boolean;
  /** Where the locks are; the package's own unless a test says otherwise. */
  readonly locks?: string;
  readonly catalogue?: readonly Environment[];
}

export interface ReadyEnvironment {
  readonly name: string;
  readonly kind: Environment['kind'];
  /** Hash of the lock that it was built from. */
  readonly lock: string;
  /** Absolute. Holds the virtual environment, or `node_modules`. */
  readonly folder: string;
  readonly builtAt: string;
}

interface Marker {
  /** Name of the build's folder beside the marker. */
  readonly build: string;
  readonly builtAt: string;
}

/**
 * Builds a locked environment at `<home>/envs/<name>-<lock hash>` unless it is ready, which costs two file reads.
 * A virtual environment knows its own path, so it cannot be built elsewhere and moved: each build has a folder of its
 * own, and the marker that names it appears last, by a rename. An interrupted build leaves nothing that is used, and
 * pip's cache keeps what was downloaded. Several processes may call this at once; one builds.
 * @throws MartletError `unknown-environment`, `platform-unsupported`, `python-missing`, `environment-failed`.
 */
export async function ensureEnvironment(options: EnsureEnvironmentOptions): Promise<ReadyEnvironment> {
  const { environment, lock, root } = locate(options);
  if (!options.force) {
    const ready = readReady({ environment, lock, root });
    if (ready) return ready;
  }
  const onWait = (): void =>
    options.log(`Waiting for another process that is making the ${environment.name} environment`);
  const called = Date.now();
  await mkdir(root, { recursive: true });
  return await withFolderLock({ path: join(root, 'lock'), onWait, signal: options.signal }, async () => {
    const ready = readReady({ environment, lock, root });
    // Another process that was asked for the same while this one waited has done this one's work, forced or not.
    if (ready && (!options.force || Date.parse(ready.builtAt) >= called)) return ready;
    await removeAllBut(root, ready?.folder);
    const build = randomBytes(4).toString('hex');
    const folder = join(root, build);
    try {
      const facts =
        environment.kind === 'python'
          ? await buildPythonEnvironment({ environment, lock, folder }, options)
          : await buildNodeEnvironment({ environment, lock, folder }, options);
      const marker: Marker = { build, builtAt: new Date().toISOString() };
      await writeFile(join(folder, 'built.json'), `${JSON.stringify({ ...marker, ...facts }, null, 2)}\n`);
      await rename(join(folder, 'built.json'), join(root, 'ready.json'));
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
    await removeAllBut(root, folder);
    const made = readReady({ environment, lock, root });
    if (!made) throw new Error(`the ${environment.name} environment was removed while it was being made`);
    return made;
  });
}

/** The environment when it is ready for the present lock, else undefined. Builds nothing. */
export function readyEnvironment(
  options: Pick<EnsureEnvironmentOptions, 'name' | 'home' | 'locks' | 'catalogue'>,
): ReadyEnvironment | undefined {
  return readReady(locate(options));
}

/** Removes every build of an environment, those of older locks too. @returns the folders removed. */
export async function removeEnvironment({ name, home }: { name: string; home: string }): Promise<readonly string[]> {
  const folders = (await readdir(join(home, 'envs')).catch(() => []))
    .filter((entry) => entry.startsWith(`${name}-`) && /^[0-9a-f]{12}$/.test(entry.slice(name.length + 1)))
    .map((entry) => join(home, 'envs', entry));
  for (const folder of folders) {
    // The marker goes first: nobody may find a half-removed environment ready.
    await rm(join(folder, 'ready.json'), { force: true });
    await rm(folder, { recursive: true, force: true });
  }
  return folders;
}

function locate({
  name,
  home,
  locks,
  catalogue,
}: Pick<EnsureEnvironmentOptions, 'name' | 'home' | 'locks' | 'catalogue'>) {
  const environment = findEnvironment(name, catalogue);
  const lock = readLock(environment, locks);
  return { environment, lock, root: join(home, 'envs', `${name}-${lock.hash}`) };
}

function readReady(at: {
  environment: Environment;
  lock: EnvironmentLock;
  root: string;
}): ReadyEnvironment | undefined {
  const { environment, lock, root } = at;
  const file = join(root, 'ready.json');
  if (!existsSync(file)) return undefined;
  const marker = JSON.parse(readFileSync(file, 'utf8')) as Marker;
  const folder = join(root, marker.build);
  const proof = environment.kind === 'python' ? pythonIn(folder) : join(folder, 'node_modules');
  // The interpreter is a link to the machine's own Python, which may have been uninstalled since.
  if (!existsSync(proof)) return undefined;
  return { name: environment.name, kind: environment.kind, lock: lock.hash, folder, builtAt: marker.builtAt };
}

async function removeAllBut(root: string, keep: string | undefined): Promise<void> {
  for (const entry of await readdir(root)) {
    const path = join(root, entry);
    if (entry !== 'lock' && entry !== 'ready.json' && path !== keep) await rm(path, { recursive: true, force: true });
  }
}
