import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { MartletError } from '../core/error.ts';
import { hasCode } from '../store/files/files.ts';
import type { CliContext } from './context.ts';

/**
 * The text of a file that a flag names.
 * @throws MartletError `file-unreadable`
 */
export async function readGivenFile(
  path: string,
  { flag, cwd }: { readonly flag: string } & Pick<CliContext, 'cwd'>,
): Promise<string> {
  const file = resolve(cwd, path);
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw givenFileFailure(error, { file, flag, doing: 'read' });
  });
}

/**
 * Writes a page to the file that `--html` names.
 * @returns its absolute path
 * @throws MartletError `file-unwritable`
 */
export async function writePage(path: string, page: string, { cwd }: Pick<CliContext, 'cwd'>): Promise<string> {
  const file = resolve(cwd, path);
  await writeFile(file, page).catch((error: unknown) => {
    throw givenFileFailure(error, { file, flag: '--html', doing: 'write' });
  });
  return file;
}

/**
 * What to tell of a path given with a flag that the system refused: `file-unreadable` or `file-unwritable`. What has to do
 * with the machine rather than the path, such as a full disk, comes back as it is.
 */
export function givenFileFailure(
  error: unknown,
  { file, flag, doing }: { readonly file: string; readonly flag: string; readonly doing: 'read' | 'write' },
): unknown {
  if (!hasCode(error, ...Object.keys(reasons))) return error;
  const reason = reasons[String((error as NodeJS.ErrnoException).code)];
  const [why, fix] = doing === 'read' ? [reason?.read, 'a file that is there'] : [reason?.write, 'a place to write to'];
  return new MartletError(doing === 'read' ? 'file-unreadable' : 'file-unwritable', `cannot ${doing} ${file}: ${why}`, {
    hint: `Name ${fix} with ${flag}.`,
    cause: error,
  });
}

const reasons: Readonly<Record<string, { readonly read: string; readonly write: string }>> = {
  ENOENT: { read: 'there is no such file', write: 'its folder does not exist' },
  ENOTDIR: { read: 'there is no such file', write: 'what should be its folder is a file' },
  EISDIR: { read: 'it is a folder', write: 'it is a folder' },
  EACCES: { read: 'this user may not', write: 'this user may not' },
  EPERM: { read: 'this user may not', write: 'this user may not' },
};
