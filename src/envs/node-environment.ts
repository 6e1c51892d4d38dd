import { cp, mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { type NodeEnvironment, thisPlatform } from './catalogue.ts';
import type { EnvironmentLock } from './lock.ts';
import type { BuildOptions } from './python-environment.ts';
import { runProcess } from './run-process.ts';

/**
 * Installs what the lock names into `folder`: the dependencies without their optional packages, which hold native
 * builds for every platform and GPU (725 MB for llama.cpp), and the one package with the build for this platform (85 MB
 * together). No install script runs.
 * @throws MartletError `environment-failed`.
 */
export async function buildNodeEnvironment(
  { environment, lock, folder }: { environment: NodeEnvironment; lock: EnvironmentLock; folder: string },
  { env, log, signal }: BuildOptions,
): Promise<Record<string, string>> {
  log(`Making the ${environment.name} environment: ${describe(environment)} for ${thisPlatform}`);
  await mkdir(folder, { recursive: true });
  for (const name of ['package.json', 'package-lock.json'])
    await cp(join(dirname(lock.file), name), join(folder, name));
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const installed = await runProcess({ ...npm(env, ['ci', ...flags]), cwd: folder, env, signal });
  if (installed.code !== 0)
    throw new MartletError(
      'environment-failed',
      `the ${environment.name} environment could not be made: npm ci failed\n${installed.said.trim().split('\n').slice(-6).join('\n')}`,
      { hint: 'Check the network, `npm config get registry` and `npm config get proxy`.', retryable: true },
    );
  return { node: process.version };
}

const describe = ({ dependencies }: NodeEnvironment): string =>
  Object.entries(dependencies)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');

/** Under `npm run` and `npx`, npm_execpath names the very npm in use; elsewhere PATH decides. */
export function npm(env: BuildOptions['env'], args: readonly string[]): { command: string; args: readonly string[] } {
  const own = env.npm_execpath;
  if (own !== undefined && basename(own) === 'npm-cli.js') return { command: process.execPath, args: [own, ...args] };
  return { command: process.platform === 'win32' ? 'npm.cmd' : 'npm', args };
}
