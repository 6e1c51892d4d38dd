import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { CliContext } from './context.ts';

/** Where artefacts stand: `--store` or `MARTLET_STORE`, else the nearest `.martlet` upward, else `.martlet` here. */
export function storeRoot(context: Pick<CliContext, 'cwd' | 'env'>): string {
  // `--store` is written into the context's environment, so that processes we start agree.
  const named = context.env.MARTLET_STORE;
  if (named) return resolve(context.cwd, named);
  for (let folder = context.cwd; ; folder = dirname(folder)) {
    const candidate = join(folder, '.martlet');
    if (existsSync(candidate)) return candidate;
    if (dirname(folder) === folder) return join(context.cwd, '.martlet');
  }
}
