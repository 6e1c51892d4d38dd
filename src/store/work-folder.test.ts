import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { MartletError } from '../core/error.ts';
import { inWorkFolder } from './files/work-folder.ts';

const parentFolder = (): string => {
  const parent = mkdtempSync(join(tmpdir(), 'work-'));
  onTestFinished(() => rmSync(parent, { recursive: true }));
  return parent;
};

const refuse = async (folder: string): Promise<never> => {
  await writeFile(join(folder, 'read'), '');
  throw new MartletError('loss-budget', 'too many');
};

test('work that may yet succeed is kept, and taken up by the same work', async () => {
  const parent = parentFolder();
  const request = { parent, key: 'a', purpose: 'dataset x', keepAfter: ['loss-budget'] };
  await expect(inWorkFolder(request, refuse)).rejects.toThrow('too many');
  expect(readdirSync(parent)).toHaveLength(1);
  expect(await inWorkFolder(request, async (folder) => readdirSync(folder))).toEqual(['read']);
  expect(readdirSync(parent)).toEqual([]);
});

test('what other work for the same purpose left is removed, and no other', async () => {
  const parent = parentFolder();
  const request = (key: string, purpose: string) => ({ parent, key, purpose, keepAfter: ['loss-budget'] });
  await expect(inWorkFolder(request('a', 'dataset x'), refuse)).rejects.toThrow();
  await expect(inWorkFolder(request('a', 'dataset y'), refuse)).rejects.toThrow();
  await inWorkFolder(request('b', 'dataset x'), async () => undefined);
  expect(readdirSync(parent)).toHaveLength(1);
  expect(await inWorkFolder(request('a', 'dataset y'), async (folder) => readdirSync(folder))).toEqual(['read']);
});

test('what cannot succeed as it stands is thrown away', async () => {
  const parent = parentFolder();
  await expect(inWorkFolder({ parent, key: 'a' }, refuse)).rejects.toThrow();
  expect(readdirSync(parent)).toEqual([]);
});
