import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { fingerprint } from '../core/fingerprint.ts';
import type { BaseModel } from '../schema/model.ts';
import { hashFolder } from '../store/files/files.ts';
import { readJsonObject } from './config.ts';
import { openSafetensors } from './safetensors.ts';

/** The record of a model; it stands beside the files it names, and is the one file it leaves out. */
export const recordFile = 'model.json';

/**
 * Reads what a model folder holds and hashes every file of it.
 * @param options.sync brings the files to the disk on the way
 * @throws MartletError `config-missing`, `weights-missing`, `bad-safetensors`
 */
export async function recordOf(
  folder: string,
  options: { readonly address: string; readonly licence?: string | null; readonly sync?: boolean },
): Promise<BaseModel> {
  const config = await readJsonObject(join(folder, 'config.json'));
  if (!config)
    throw new MartletError('config-missing', `${folder} has no config.json, so it is no model folder`, {
      hint: 'Name a folder in the layout of transformers, a .gguf file or a hub address.',
    });
  await using weights = await openSafetensors(folder);
  const sizes = new Map<string, number>();
  for (const name of weights.names) {
    const { dtype, shape } = weights.info(name);
    sizes.set(dtype, (sizes.get(dtype) ?? 0) + shape.reduce((product, size) => product * size, 1));
  }
  const [commonest] = [...sizes].sort((a, b) => b[1] - a[1]);
  const files = await hashFolder(folder, { sync: options.sync ?? false, except: [recordFile] });
  const { architectures: classes } = config;
  return {
    schema: 'base-model/1',
    address: options.address,
    fingerprint: fingerprint(files),
    architecture: String((Array.isArray(classes) ? classes[0] : undefined) ?? config.model_type ?? 'unknown'),
    parameters: [...sizes.values()].reduce((total, size) => total + size, 0),
    dtype: commonest?.[0] ?? 'none',
    licence: options.licence ?? (await licenceOf(folder)),
    files,
  };
}

/** `license:` (for `other`, `license_name:`) in the front matter of a model card. */
async function licenceOf(folder: string): Promise<string | null> {
  const card = await readFile(join(folder, 'README.md'), 'utf8').catch(() => '');
  const [, matter = ''] = /^---\r?\n(.*?)\r?\n---/s.exec(card) ?? [];
  const value = (name: string): string | undefined =>
    new RegExp(`^${name}:[ \\t]*["']?([^"'\\r\\n]+?)["']?[ \\t]*$`, 'm').exec(matter)?.[1];
  const licence = value('license');
  return (licence === 'other' ? value('license_name') : undefined) ?? licence ?? null;
}
