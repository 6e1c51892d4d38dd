import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * Where what is fetched once and shared by all projects lives: models, environments, runtimes.
 * `MARTLET_HOME`, else `$XDG_CACHE_HOME/martlet`, else `~/.cache/martlet`.
 */
export function martletHome(env: Readonly<Record<string, string | undefined>>): string {
  if (env.MARTLET_HOME) return env.MARTLET_HOME;
  const cache = env.XDG_CACHE_HOME || join(env.HOME || env.USERPROFILE || homedir(), '.cache');
  return join(cache, 'martlet');
}
