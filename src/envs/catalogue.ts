import { MartletError } from '../core/error.ts';
import { nearestName } from '../core/nearest.ts';

/** Something that Martlet can use and does not carry: built on request, from a lock, apart from everything else. */
export type Environment = PythonEnvironment | NodeEnvironment;

export interface PythonEnvironment {
  readonly kind: 'python';
  readonly name: string;
  readonly summary: string;
  /** What is wanted, before resolving; `tools/lock-environment.ts` makes `envs/<name>.<platform>.lock` of it. */
  readonly requirements: readonly string[];
  /** Minor versions of CPython that the lock has builds for, the preferred one first. */
  readonly pythons: readonly string[];
  readonly platforms: readonly string[];
}

export interface NodeEnvironment {
  readonly kind: 'node';
  readonly name: string;
  readonly summary: string;
  /** Locked, with the platform's package, in `envs/<name>.<platform>/package-lock.json`. */
  readonly dependencies: Readonly<Record<string, string>>;
  /** The one package with the native build for each platform; the others are left out. */
  readonly platformPackages: Readonly<Record<string, string>>;
}

export const environments: readonly Environment[] = [
  {
    kind: 'python',
    name: 'oracles',
    summary: 'PyTorch (CPU), transformers, peft, trl and gguf: what the tests and benches compare with',
    requirements: [
      'torch==2.13.0',
      'transformers',
      'peft',
      'trl',
      'gguf',
      'jinja2',
      'numpy',
      'safetensors',
      'tokenizers',
      'datasets',
      'accelerate',
    ],
    pythons: ['3.11', '3.12', '3.13'],
    platforms: ['linux-x64', 'linux-arm64', 'darwin-arm64'],
  },
  {
    kind: 'python',
    name: 'ms-swift',
    summary: 'ms-swift on PyTorch (CPU): the peer of `npm run bench`',
    requirements: ['torch==2.13.0', 'ms-swift==4.6.0'],
    pythons: ['3.11', '3.12', '3.13'],
    platforms: ['linux-x64'],
  },
  {
    kind: 'node',
    name: 'llama-cpp',
    summary: 'llama.cpp (node-llama-cpp): runs exported GGUF files for their certificate',
    dependencies: { 'node-llama-cpp': '3.22.1' },
    platformPackages: {
      'linux-x64': '@node-llama-cpp/linux-x64',
      'linux-arm64': '@node-llama-cpp/linux-arm64',
    },
  },
];

/** The build of this machine, such as `linux-x64`. */
export const thisPlatform = `${process.platform}-${process.arch}`;

/** @throws MartletError `unknown-environment`, with the nearest known name. */
export function findEnvironment(name: string, catalogue = environments): Environment {
  const found = catalogue.find((environment) => environment.name === name);
  if (found) return found;
  const names = catalogue.map((environment) => environment.name);
  const nearest = nearestName(name, names);
  throw new MartletError('unknown-environment', `there is no environment "${name}"`, {
    hint: nearest ? `Did you mean ${nearest}?` : `There are ${names.join(', ')}.`,
  });
}
