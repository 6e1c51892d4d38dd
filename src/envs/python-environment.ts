import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import type { PythonEnvironment } from './catalogue.ts';
import { findPython } from './find-python.ts';
import type { EnvironmentLock } from './lock.ts';
import { runProcess } from './run-process.ts';

export interface BuildOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** One line at a time, without a line end. */
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Where a virtual environment keeps its interpreter. */
export const pythonIn = (folder: string): string =>
  process.platform === 'win32' ? join(folder, 'Scripts', 'python.exe') : join(folder, 'bin', 'python');

/**
 * The user's environment without what would lead a Python away from its own packages. pip's configuration (index,
 * find-links, proxy, certificates) stays.
 */
export function isolatedEnv(env: BuildOptions['env']): Record<string, string | undefined> {
  const { PYTHONPATH, PYTHONHOME, VIRTUAL_ENV, PIP_USER, PIP_TARGET, PIP_PREFIX, PIP_REQUIRE_VIRTUALENV, ...rest } =
    env;
  return { ...rest, PYTHONNOUSERSITE: '1', PIP_DISABLE_PIP_VERSION_CHECK: '1', PIP_NO_INPUT: '1' };
}

/**
 * Makes a virtual environment in `folder` that holds exactly what the lock names.
 * @returns facts about it, for the marker.
 * @throws MartletError `python-missing`, `environment-failed`.
 */
export async function buildPythonEnvironment(
  { environment, lock, folder }: { environment: PythonEnvironment; lock: EnvironmentLock; folder: string },
  options: BuildOptions,
): Promise<Record<string, string>> {
  const env = isolatedEnv(options.env);
  const { signal, log } = options;
  const python = await findPython({ versions: environment.pythons, env, signal });
  log(`Making the ${environment.name} environment with Python ${python.version}: ${lock.packages.length} packages`);
  const made = await runProcess({ command: python.command, args: ['-m', 'venv', folder], env, signal });
  if (made.code !== 0) throw failed(environment.name, 'python -m venv', made.said);

  let collected = 0;
  const onLine = (line: string): void => {
    const [, name] = /^(?:Collecting|Processing) (?:\S*[/\\])?([^\s-]+)/.exec(line) ?? [];
    if (name)
      log(`Fetching ${++collected} of ${lock.packages.length}: ${name.replace(/==.*/, '').replaceAll('_', '-')}`);
    else if (line.startsWith('Installing collected packages')) log(`Installing ${lock.packages.length} packages`);
  };
  const install = [
    'install',
    '--no-deps',
    '--require-hashes',
    '--no-compile',
    '--progress-bar=off',
    '--no-warn-script-location',
  ];
  const args = ['-m', 'pip', ...install, '-r', lock.file];
  const installed = await runProcess({ command: pythonIn(folder), args, env, signal, onLine });
  if (installed.code !== 0) throw failed(environment.name, 'pip install', installed.said);

  await checkVersions({ environment, lock, folder }, { ...options, env });
  return { python: python.version };
}

const listVersions =
  "import json, importlib.metadata as m; print(json.dumps({d.metadata['Name']: d.version for d in m.distributions()}))";

/** What stands there is what the lock says: pip answers with success also where a package was there before. */
async function checkVersions(
  { environment, lock, folder }: { environment: PythonEnvironment; lock: EnvironmentLock; folder: string },
  { env, signal }: BuildOptions,
): Promise<void> {
  const listed = await runProcess({ command: pythonIn(folder), args: ['-c', listVersions], env, signal });
  if (listed.code !== 0) throw failed(environment.name, 'its python', listed.said);
  const versions = new Map(
    Object.entries(JSON.parse(listed.stdout) as Record<string, string>).map(([name, version]) => [
      plain(name),
      version,
    ]),
  );
  const wrong = lock.packages.filter(
    ({ name, version }) => withoutBuild(versions.get(plain(name))) !== withoutBuild(version),
  );
  if (wrong.length > 0) {
    const list = wrong.map(({ name, version }) => `${name} ${version} (found ${versions.get(plain(name)) ?? 'none'})`);
    throw failed(environment.name, 'pip install', `these are not as locked: ${list.join(', ')}`);
  }
}

/** PEP 503. */
const plain = (name: string): string => name.toLowerCase().replace(/[-_.]+/g, '-');

/** `2.13.0+cpu` is a build of `2.13.0`; which build it is, the hash has checked. */
const withoutBuild = (version: string | undefined): string | undefined => version?.replace(/\+.*/, '');

function failed(name: string, step: string, said: string): MartletError {
  const lines = said.trim().split('\n');
  const errors = lines.filter((line) => /^ERROR|error:|Error\b/.test(line));
  const shown = (errors.length > 0 ? errors : lines).slice(-6).join('\n');
  return new MartletError('environment-failed', `the ${name} environment could not be made: ${step} failed\n${shown}`, {
    hint: hintFor(said),
    retryable: true,
  });
}

function hintFor(said: string): string {
  if (/No matching distribution found for torch\b|torch[\s\S]*DO NOT MATCH THE HASHES|HASHES[\s\S]*torch/.test(said))
    return "The CPU build of PyTorch was not found. Name PyTorch's index of CPU wheels in PIP_EXTRA_INDEX_URL, or a folder with the wheel in PIP_FIND_LINKS.";
  if (/DO NOT MATCH THE HASHES|THESE PACKAGES DO NOT/.test(said))
    return 'A package differs from the one that was locked. A registry or proxy may have changed it.';
  if (/No space left/.test(said)) return 'The disk is full. MARTLET_HOME chooses another place.';
  return 'Check the network and `pip config list` (index, proxy, certificates), then run the command again: what was downloaded is kept.';
}
