import { martletHome } from '../envs/home.ts';
import { openRuntime, type Runtime } from './runtime.ts';

let shared: Promise<Runtime> | undefined;

/** One runtime for all tests of a process. */
export function testRuntime(): Promise<Runtime> {
  const { env } = process;
  shared ??= openRuntime({ threads: 1, home: martletHome(env), env, log: () => {} });
  return shared;
}
