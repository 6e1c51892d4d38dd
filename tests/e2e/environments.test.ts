import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Environment, thisPlatform } from '../../src/envs/catalogue.ts';
import { ensureEnvironment } from '../../src/envs/ensure-environment.ts';
import { findPython } from '../../src/envs/find-python.ts';
import { pythonIn } from '../../src/envs/python-environment.ts';
import { runProcess } from '../../src/envs/run-process.ts';
import { requireOrSkip } from '../support/skip.ts';

const versions = ['3.11', '3.12', '3.13'];
const catalogue: readonly Environment[] = [
  {
    kind: 'python',
    name: 'toy',
    summary: 'a toy',
    requirements: ['toy'],
    pythons: versions,
    platforms: [thisPlatform],
  },
];

/** A wheel with one module, written by Python's own zipfile. */
const makeWheel = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as wheel:
    wheel.writestr('toy.py', 'ANSWER = 42\\n')
    wheel.writestr('toy-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: toy\\nVersion: 1.0\\nRequires-Dist: absent\\n')
    wheel.writestr('toy-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr('toy-1.0.dist-info/RECORD', '')
`;

let folder = '';
let wheel = '';
beforeEach(async (context) => {
  const python = await findPython({ versions, env: process.env }).catch(() => undefined);
  requireOrSkip(context, python, { kind: 'tool', reason: 'needs Python 3.11 or later with venv' });
  folder = await mkdtemp(join(tmpdir(), 'martlet-envs-'));
  wheel = join(folder, 'toy-1.0-py3-none-any.whl');
  const made = await runProcess({ command: python.command, args: ['-c', makeWheel, wheel], env: process.env });
  expect(made.code, made.said).toBe(0);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const setUp = async (hash: string) => {
  await writeFile(join(folder, `toy.${thisPlatform}.lock`), `toy==1.0 --hash=sha256:${hash}\n`);
  // PYTHONPATH and PIP_USER would lead the build astray; it must not follow them.
  const env = { ...process.env, PIP_NO_INDEX: '1', PIP_FIND_LINKS: folder, PYTHONPATH: '/nowhere', PIP_USER: '1' };
  return await ensureEnvironment({
    name: 'toy',
    home: join(folder, 'home'),
    env,
    log: () => {},
    locks: folder,
    catalogue,
  });
};

test('pip installs exactly the file that was locked, without the dependencies that the lock leaves out', async () => {
  const { folder: made } = await setUp(
    createHash('sha256')
      .update(await readFile(wheel))
      .digest('hex'),
  );
  const asked = await runProcess({
    command: pythonIn(made),
    args: ['-c', 'import sys, toy; print(toy.ANSWER, toy.__file__.startswith(sys.prefix))'],
    env: {},
  });
  expect(asked.stdout).toBe('42 True');
});

test('a file with another hash is refused', async () => {
  await expect(setUp('0'.repeat(64))).rejects.toMatchObject({
    code: 'environment-failed',
    hint: expect.stringContaining('differs from the one that was locked'),
  });
});
