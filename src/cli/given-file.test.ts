import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startMartlet } from '../../tests/support/tiny-recipe.ts';
import { givenFileFailure, readGivenFile } from './given-file.ts';

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'martlet-given-'));
  await writeFile(join(scratch, 'rows.jsonl'), '{"messages":[]}\n');
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

test.each([
  ['nope.jsonl', 'there is no such file'],
  ['rows.jsonl/deeper', 'there is no such file'],
  ['.', 'it is a folder'],
])('%s is told with its path, why and the flag', async (path, why) => {
  await expect(readGivenFile(path, { flag: '--input', cwd: scratch })).rejects.toMatchObject({
    code: 'file-unreadable',
    message: `cannot read ${join(scratch, path)}: ${why}`.replace(/\/:/, ':'),
    hint: 'Name a file that is there with --input.',
  });
});

test('a failure of the machine stays what it is', () => {
  const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
  expect(givenFileFailure(full, { file: '/x', flag: '--output', doing: 'write' })).toBe(full);
});

test.each([
  ['render --template chat.jinja --input nope.jsonl', 'file-unreadable', '--input'],
  ['render --template chat.jinja --input rows.jsonl --output no/where.jsonl', 'file-unwritable', '--output'],
])('martlet %s', async (line, code, flag) => {
  await writeFile(join(scratch, 'chat.jinja'), 'x');
  const words = line.split(' ').map((word) => (/\.\w+$/.test(word) ? join(scratch, word) : word));
  const { code: exit, err } = await startMartlet(words).ended;
  expect({ exit, err }).toEqual({ exit: 1, err: expect.stringContaining(`[${code}]\nfix   Name`) });
  expect(err).toContain(`with ${flag}.`);
});
