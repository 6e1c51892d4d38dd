import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MartletError } from '../core/error.ts';
import { readyEnvironment } from './ensure-environment.ts';
import { martletHome } from './home.ts';
import { pythonIn } from './python-environment.ts';

export { type Environment, environments, findEnvironment } from './catalogue.ts';
export { diagnose, type Finding } from './diagnose.ts';
export {
  type EnsureEnvironmentOptions,
  ensureEnvironment,
  type ReadyEnvironment,
  readyEnvironment,
  removeEnvironment,
} from './ensure-environment.ts';
export { martletHome } from './home.ts';
export { ensureOnnxRuntime, loadOnnxRuntime, type OnnxRuntime } from './onnxruntime.ts';

interface EnvironmentPlace {
  readonly name: string;
  /** `martletHome(env)` unless given. */
  readonly home?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Absolute path of the environment's Python when it is ready, else undefined. */
export async function environmentPython({ name, home, env }: EnvironmentPlace): Promise<string | undefined> {
  const ready = readyEnvironment({ name, home: home ?? martletHome(env) });
  return ready && pythonIn(ready.folder);
}

/**
 * URL of a package's entry in a Node environment, for `import()`.
 * @throws MartletError `environment-missing`, with the command that makes it.
 */
export async function environmentModule({ name, home, env }: EnvironmentPlace, specifier: string): Promise<string> {
  const ready = readyEnvironment({ name, home: home ?? martletHome(env) });
  if (!ready)
    throw new MartletError('environment-missing', `${specifier} needs the ${name} environment`, {
      hint: `Make it with: martlet setup ${name}`,
    });
  const require = createRequire(join(ready.folder, 'package.json'));
  return pathToFileURL(require.resolve(specifier)).href;
}

/** Removes the runtime of the embedded engine, all versions. @returns the folders removed. */
export async function removeOnnxRuntime(home: string): Promise<readonly string[]> {
  const folder = join(home, 'onnxruntime');
  if (!existsSync(folder)) return [];
  await rm(folder, { recursive: true, force: true });
  return [folder];
}
