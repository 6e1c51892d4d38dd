import { registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';

/**
 * Loads a module that a recipe names. What it imports as `martlet` is this program, and as `zod` the zod of this program,
 * wherever the module stands: a folder with a recipe and rows needs no package of its own.
 */
export async function importOwnModule(file: string): Promise<unknown> {
  resolveOurs();
  return import(pathToFileURL(file).href);
}

/** What a module of one's own imports of this program. */
export const oursPattern = /^martlet(?:\/(schema|spec|methods|render|testing))?$/;

let isHooked = false;

function resolveOurs(): void {
  // Node before 22.15 has no such hooks; there the package must be installed beside the recipe.
  if (isHooked || typeof registerHooks !== 'function') return;
  isHooked = true;
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  registerHooks({
    resolve(specifier, context, next) {
      const ours = oursPattern.exec(specifier);
      if (ours) {
        const url = new URL(`../${ours[1] ? `${ours[1]}/` : ''}index.${extension}`, import.meta.url).href;
        return { url, shortCircuit: true };
      }
      return next(specifier, specifier === 'zod' ? { ...context, parentURL: import.meta.url } : context);
    },
  });
}
