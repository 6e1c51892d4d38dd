import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MartletError } from '../core/error.ts';
import { type Environment, thisPlatform } from './catalogue.ts';

/** `envs/` of this package, with the lock files: beside the nearest package.json, in a checkout and when installed. */
export function lockFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) folder = dirname(folder);
  return join(folder, 'envs');
}

export interface EnvironmentLock {
  readonly file: string;
  /** First 12 hex digits of the sha-256 of what is locked; comments do not count. */
  readonly hash: string;
  /** Packages that it names. */
  readonly packages: readonly LockedPackage[];
}

export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  /** sha-256 in hex of each file that may be installed. Empty in a Node lock, which npm checks itself. */
  readonly hashes: readonly string[];
}

/** @throws MartletError `platform-unsupported` when there is no lock for this platform; `lock-damaged`. */
export function readLock(environment: Environment, folder = lockFolder()): EnvironmentLock {
  const file =
    environment.kind === 'python'
      ? join(folder, `${environment.name}.${thisPlatform}.lock`)
      : join(folder, `${environment.name}.${thisPlatform}`, 'package-lock.json');
  const supported = environment.kind === 'python' ? environment.platforms : Object.keys(environment.platformPackages);
  if (!supported.includes(thisPlatform) || !existsSync(file))
    throw new MartletError(
      'platform-unsupported',
      `the ${environment.name} environment has no lock for ${thisPlatform}`,
      {
        hint: `It is locked for ${supported.join(', ')}.`,
      },
    );
  const text = readFileSync(file, 'utf8');
  return environment.kind === 'python' ? parseRequirements(text, file) : parsePackageLock(text, file);
}

const packageLine = /^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;]+)((?: --hash=sha256:[0-9a-f]{64})+)$/;

/** Reads `name==version --hash=sha256:...` lines, continued with backslashes. */
export function parseRequirements(text: string, file: string): EnvironmentLock {
  const lines = text
    .replace(/\\\r?\n/g, ' ')
    .split(/\r?\n/)
    .map((line) => line.replace(/#.*/, '').replace(/\s+/g, ' ').trim())
    .filter((line) => line !== '');
  const packages = lines.map((line) => {
    const [, name, version, hashes] = packageLine.exec(line) ?? [];
    if (name === undefined || version === undefined || hashes === undefined)
      throw new MartletError('lock-damaged', `${file} has a line that is no locked package: ${line}`, {
        hint: 'Make it again with tools/lock-environment.ts.',
      });
    return {
      name,
      version,
      hashes: hashes
        .trim()
        .split(' ')
        .map((part) => part.slice('--hash=sha256:'.length)),
    };
  });
  return { file, hash: shortHash(lines.join('\n')), packages };
}

function parsePackageLock(text: string, file: string): EnvironmentLock {
  const lock = JSON.parse(text) as { packages: Record<string, { version?: string }> };
  const packages = Object.entries(lock.packages)
    .filter(([path]) => path !== '')
    .map(([path, { version }]) => ({
      name: path.replace(/^.*node_modules\//, ''),
      version: version ?? '',
      hashes: [],
    }));
  return { file, hash: shortHash(text), packages };
}

const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);
