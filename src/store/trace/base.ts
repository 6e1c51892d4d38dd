import { join } from 'node:path';
import { MartletError } from '../../core/error.ts';
import { fingerprint } from '../../core/fingerprint.ts';
import type { Json } from '../../schema/common.ts';
import { type BaseModel, baseModel } from '../../schema/model.ts';
import { hasCode, hashFile, hashFolder, readTextIfThere } from '../files/files.ts';

export interface CheckedBase {
  /** As it was asked for, when its record says so. */
  readonly address: string | undefined;
  readonly problems: readonly string[];
  readonly facts: Readonly<Record<string, Json>>;
}

/** Recomputes the hash of every file of a base model and holds them against the fingerprint that was stated. */
export async function verifyBase(base: {
  readonly folder: string;
  readonly fingerprint: string;
}): Promise<CheckedBase> {
  const text = await readTextIfThere(join(base.folder, 'model.json'));
  const record = text === undefined ? undefined : parseRecord(text);
  if (text !== undefined && record === undefined)
    return { address: undefined, problems: [`${base.folder}/model.json is damaged`], facts: {} };
  const files = record?.files ?? (await hashFolderIfThere(base.folder));
  if (files === undefined) return { address: undefined, problems: [`${base.folder} cannot be read`], facts: {} };
  const problems: string[] = [];
  if (record !== undefined) {
    for (const [file, expected] of Object.entries(record.files)) {
      const path = join(base.folder, file);
      const found = await hashFile(path).catch(() => undefined);
      if (found !== expected) problems.push(`${path} ${found === undefined ? 'cannot be read' : 'was altered'}`);
    }
  }
  if (fingerprint(files) !== base.fingerprint) problems.push(`${base.folder} is not the base that was used`);
  return {
    address: record?.address,
    problems,
    facts: record === undefined ? {} : { parameters: record.parameters, licence: record.licence },
  };
}

async function hashFolderIfThere(folder: string): Promise<Record<string, string> | undefined> {
  try {
    return await hashFolder(folder);
  } catch (error) {
    if (MartletError.is(error) || hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return undefined;
    throw error;
  }
}

function parseRecord(text: string): BaseModel | undefined {
  try {
    return baseModel.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
