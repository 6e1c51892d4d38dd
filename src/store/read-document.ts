import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { MartletError } from '../core/error.ts';
import { formatPath } from '../core/issue.ts';
import { otherCode } from './made-by.ts';

/**
 * Reads a document that Martlet wrote. A field that an earlier writer of the same version did not know has the default its
 * schema states; a field that this reader does not know, and a document of another version, are refused.
 * @throws MartletError `document-unreadable`, naming what is not known, who wrote it and what to do; the file system's
 */
export async function readDocument<Schema extends z.ZodType>(file: string, schema: Schema): Promise<z.output<Schema>> {
  const text = await readFile(file, 'utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new MartletError('document-unreadable', `${file} is not JSON: ${(cause as Error).message}`, {
      hint: 'It was changed or cut since it was written. What it belongs to has to be made again.',
      cause,
    });
  }
  return parseDocument(value, { file, schema });
}

/** The same of a value that was read already, such as a line of `file`. @throws MartletError `document-unreadable` */
export async function parseDocument<Schema extends z.ZodType>(
  value: unknown,
  { file, schema }: { readonly file: string; readonly schema: Schema },
): Promise<z.output<Schema>> {
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const writer = await writerOf(dirname(file));
  const by = writer === undefined ? '' : `; ${writer} wrote it`;
  throw new MartletError('document-unreadable', `${file}: ${whatIsWrong(read.error, value)}${by}`, {
    hint: 'Read it with the Martlet that wrote it, or make what it belongs to again with this one.',
  });
}

/** What of a document a schema does not take, for people: the version where that is another, else the first fields. */
export function whatIsWrong({ issues }: z.ZodError, value: unknown): string {
  const version = issues.find(({ path }) => path.length === 1 && path[0] === 'schema');
  if (version?.code === 'invalid_value')
    return `it is ${shown((value as { readonly schema?: unknown }).schema)}, and ${version.values.map(String).join(' or ')} is read here`;
  const shownIssues = issues.slice(0, 3).map((issue) => {
    const path = issue.path.map((key) => (typeof key === 'number' ? key : String(key)));
    if (issue.code !== 'unrecognized_keys') return `${formatPath(path)}: ${issue.message}`;
    return `${issue.keys.map((key) => formatPath([...path, key])).join(', ')}: not known here`;
  });
  const more = issues.length > shownIssues.length ? `; and ${issues.length - shownIssues.length} more` : '';
  return `${shownIssues.join('; ')}${more}`;
}

const shown = (schema: unknown): string => (typeof schema === 'string' ? schema : 'of no version');

/** All that is taken of a lineage: the rest of it may be of another version too. */
const writtenBy = z.object({ code: z.object({ version: z.string(), revision: z.string().nullable() }) });

/** The Martlet that wrote it where it was not this one, by the lineage around it; a run has none before it is through. */
async function writerOf(folder: string): Promise<string | undefined> {
  // Checkpoints stand two folders below the lineage of their run.
  for (let [at, left] = [folder, 3]; left > 0; at = dirname(at), left--) {
    try {
      return await otherCode(writtenBy.parse(JSON.parse(await readFile(join(at, 'lineage.json'), 'utf8'))));
    } catch {
      // None there, or none that can be read.
    }
  }
  return undefined;
}
