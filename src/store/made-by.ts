import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { formatBytes } from '../core/units.ts';
import type { Lineage } from '../schema/lineage.ts';

/** Version of this Martlet and, in a checkout, its commit (`-dirty` when tracked files differ from it). */
export async function codeVersion(): Promise<Lineage['code']> {
  const home = packageFolder(import.meta.dirname);
  const { version } = JSON.parse(await readFile(join(home, 'package.json'), 'utf8')) as { version: string };
  return { version, revision: existsSync(join(home, '.git')) ? await revisionOf(home) : null };
}

/** The Martlet that made an artefact, where it is not this one: `martlet 0.1.0`, with its commit where versions are the same. */
export async function otherCode({ code }: Pick<Lineage, 'code'>): Promise<string | undefined> {
  const own = await codeVersion();
  if (code.version !== own.version) return `martlet ${code.version}`;
  return code.revision === own.revision ? undefined : `martlet ${code.version} of ${code.revision ?? 'no commit'}`;
}

/** `linux-x64, 2 cores, 15.6 GiB` */
export function machineName(): string {
  return `${process.platform}-${process.arch}, ${availableParallelism()} cores, ${formatBytes(totalmem())}`;
}

function packageFolder(from: string): string {
  let folder = from;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

async function revisionOf(folder: string): Promise<string | null> {
  const git = async (...words: string[]): Promise<string> =>
    (await promisify(execFile)('git', ['-C', folder, ...words])).stdout.trim();
  try {
    const [commit, changes] = await Promise.all([
      git('rev-parse', 'HEAD'),
      git('--no-optional-locks', 'status', '--porcelain', '--untracked-files=no'),
    ]);
    return changes === '' ? commit : `${commit}-dirty`;
  } catch {
    // No git on this machine: the version has to do.
    return null;
  }
}
