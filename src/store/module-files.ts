import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { oursPattern } from './own-module.ts';

const space = String.raw`(?:\s|/\*[\s\S]*?\*/)*`;
const literal = '(["\'`])([^"\'`\\n$]+)\\1';

/** `from '...'`, `import '...'`, `import('...')`, `require('...')`; one in a comment takes a file too many, and none too few. */
const imported = new RegExp(String.raw`\b(?:from|import|require)\b${space}\(?${space}${literal}`, 'g');
/** `new URL('...', import.meta.url)`: what a module reads beside itself. */
const beside = new RegExp(String.raw`\bnew\s+URL\(${space}${literal}${space},${space}import\.meta\.url`, 'g');

const isCode = (file: string): boolean => /^\.[cm]?[jt]sx?$/.test(extname(file));

/**
 * The module and all that it comes from: what it imports by literal relative or absolute paths, and that in turn; what any
 * of them reads as `new URL('...', import.meta.url)`; and the `package.json` of each package imported, which says its version.
 * In the order in which they are found. What is not there is left out: loading tells of it.
 */
export async function moduleFiles(module: string): Promise<readonly string[]> {
  const found = new Set([module]);
  for (const file of found) {
    if (!isCode(file)) continue;
    const text = await readFile(file, 'utf8').catch(() => '');
    for (const [, , specifier = ''] of text.matchAll(imported)) {
      const met = importedFile(specifier, file);
      if (met !== undefined) found.add(met);
    }
    for (const [, , path = ''] of text.matchAll(beside)) {
      const met = fileAt(path, file);
      if (met !== undefined) found.add(met);
    }
  }
  return [...found];
}

function importedFile(specifier: string, from: string): string | undefined {
  if (/^(?:\.{0,2}\/|\.{1,2}$|file:)/.test(specifier)) return fileAt(specifier, from);
  if (isBuiltin(specifier) || specifier === 'zod' || oursPattern.test(specifier)) return undefined;
  const [name] = /^(?:@[^/]+\/)?[^/@#][^/]*/.exec(specifier) ?? [];
  return name === undefined ? undefined : manifestOf(name, dirname(from));
}

/** As it is written, or as `require` completes it. */
function fileAt(path: string, from: string): string | undefined {
  let file: string;
  try {
    file = fileURLToPath(new URL(path, pathToFileURL(from)));
  } catch {
    return undefined;
  }
  const ways = ['', '.js', '.cjs', '.json', '/index.js'].map((end) => `${file}${end}`);
  return ways.find((way) => statSync(way, { throwIfNoEntry: false })?.isFile());
}

function manifestOf(name: string, folder: string): string | undefined {
  const file = join(folder, 'node_modules', name, 'package.json');
  if (existsSync(file)) return file;
  const above = dirname(folder);
  return above === folder ? undefined : manifestOf(name, above);
}
