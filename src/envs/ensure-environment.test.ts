import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Environment, thisPlatform } from './catalogue.ts';
import { ensureEnvironment, readyEnvironment, removeEnvironment } from './ensure-environment.ts';
import { findPython } from './find-python.ts';

const catalogue: readonly Environment[] = [
  {
    kind: 'python',
    name: 'toy',
    summary: 'a toy',
    requirements: ['toy'],
    pythons: ['3.11', '3.12'],
    platforms: [thisPlatform],
  },
];
const locked = (version: string): string => `toy==${version} --hash=sha256:${'a'.repeat(64)}\n`;

let folder = '';
let home = '';
let log: string[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'martlet-envs-'));
  home = join(folder, 'home');
  log = [];
  await mkdir(join(folder, 'bin'));
  await lockToy('1.0');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const lockToy = (version: string) => writeFile(join(folder, `toy.${thisPlatform}.lock`), locked(version));

/**
 * A stand-in for Python on PATH: answers the probe, "makes" environments by copying itself, and writes down each call of
 * pip. What pip does is `install`, a piece of shell.
 */
async function fakePython(
  options: { name?: string; version?: string; venv?: string; install?: string } = {},
): Promise<void> {
  const { name = 'python3.11', version = '3.11', venv = 'venv True', install = 'echo "Collecting toy==1.0"' } = options;
  const file = join(folder, 'bin', name);
  const script = `#!/bin/sh
case "$*" in
  *'import venv'*) echo ${version}; echo "${venv}";;
  '-m venv '*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python";;
  '-m pip '*) echo pip >> ${folder}/calls; ${install};;
  *metadata*) echo '{"Toy": "1.0+cpu"}';;
  *) exit 64;;
esac
`;
  await writeFile(file, script);
  await chmod(file, 0o755);
}

const ensure = (more: { force?: boolean; signal?: AbortSignal } = {}) =>
  ensureEnvironment({
    name: 'toy',
    home,
    env: { PATH: `${join(folder, 'bin')}:/usr/bin:/bin` },
    log: (line) => log.push(line),
    locks: folder,
    catalogue,
    ...more,
  });
const pipCalls = (): number =>
  existsSync(join(folder, 'calls')) ? (readFileSync(join(folder, 'calls'), 'utf8').match(/pip/g)?.length ?? 0) : 0;

describe.skipIf(process.platform === 'win32')('ensureEnvironment', () => {
  test('builds once; afterwards it is there', async () => {
    await fakePython();
    expect(readyEnvironment({ name: 'toy', home, locks: folder, catalogue })).toBeUndefined();
    const made = await ensure();
    expect(existsSync(join(made.folder, 'bin/python'))).toBe(true);
    expect(log).toContain('Fetching 1 of 1: toy');
    expect(await ensure()).toEqual(made);
    expect(readyEnvironment({ name: 'toy', home, locks: folder, catalogue })).toEqual(made);
    expect(pipCalls()).toBe(1);
  });

  test('several callers at once build it once', async () => {
    await fakePython();
    const [first, ...others] = await Promise.all([ensure(), ensure(), ensure()]);
    expect(others).toEqual([first, first]);
    expect(pipCalls()).toBe(1);
    expect(log.filter((line) => line.startsWith('Waiting'))).toHaveLength(2);
  });

  test('another lock is another environment', async () => {
    await fakePython();
    const before = await ensure();
    await lockToy('1.0.1');
    expect(readyEnvironment({ name: 'toy', home, locks: folder, catalogue })).toBeUndefined();
    await expect(ensure()).rejects.toThrow('toy 1.0.1 (found 1.0+cpu)');
    expect(existsSync(before.folder)).toBe(true);
  });

  test('force builds anew and leaves one build', async () => {
    await fakePython();
    const before = await ensure();
    const after = await ensure({ force: true });
    expect(after.folder).not.toBe(before.folder);
    expect(existsSync(before.folder)).toBe(false);
    expect(pipCalls()).toBe(2);
  });

  test('a build that fails leaves nothing that is found, and the next one succeeds', async () => {
    await fakePython({ install: 'echo "ERROR: Could not find a version"; exit 1' });
    await expect(ensure()).rejects.toMatchObject({ code: 'environment-failed', retryable: true });
    const [root = ''] = readdirSync(join(home, 'envs'));
    expect(readdirSync(join(home, 'envs', root))).toEqual([]);
    await fakePython();
    await expect(ensure()).resolves.toMatchObject({ name: 'toy' });
  });

  test.each([
    ['ERROR: No matching distribution found for torch==2.13.0', /CPU build of PyTorch.*PIP_EXTRA_INDEX_URL/],
    [
      'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE: toy',
      /differs from the one that was locked/,
    ],
    ['OSError: [Errno 28] No space left on device', /MARTLET_HOME/],
    ['ERROR: Connection refused', /pip config list/],
  ])('says what to do about: %s', async (said, hint) => {
    await fakePython({ install: `echo "${said}" >&2; exit 1` });
    await expect(ensure()).rejects.toMatchObject({ hint: expect.stringMatching(hint) });
  });

  test('an abort stops pip and leaves nothing', async () => {
    const abort = new AbortController();
    await fakePython({ install: 'echo "Collecting toy"; exec sleep 60' });
    const building = ensureEnvironment({
      name: 'toy',
      home,
      env: { PATH: `${join(folder, 'bin')}:/usr/bin:/bin` },
      log: (line) => line.startsWith('Fetching') && abort.abort(),
      locks: folder,
      catalogue,
      signal: abort.signal,
    });
    await expect(building).rejects.toMatchObject({ name: 'AbortError' });
    expect(readyEnvironment({ name: 'toy', home, locks: folder, catalogue })).toBeUndefined();
  });

  test('removes all builds, those of older locks too, and nothing else', async () => {
    await fakePython();
    await ensure();
    await mkdir(join(home, 'envs', 'toy-000000000000'));
    await mkdir(join(home, 'envs', 'toy-box-000000000000'));
    expect(await removeEnvironment({ name: 'toy', home })).toHaveLength(2);
    expect(readdirSync(join(home, 'envs'))).toEqual(['toy-box-000000000000']);
  });

  test('an unknown name is answered with the nearest', async () => {
    await expect(ensureEnvironment({ name: 'toi', home, env: {}, log: () => {}, catalogue })).rejects.toMatchObject({
      code: 'unknown-environment',
      hint: 'Did you mean toy?',
    });
  });
});

describe.skipIf(process.platform === 'win32')('findPython', () => {
  const find = (env: Record<string, string> = {}) =>
    findPython({ versions: ['3.11', '3.12'], env: { PATH: join(folder, 'bin'), ...env } });

  test('takes any name that has a wanted version', async () => {
    await fakePython({ name: 'python3', version: '3.12' });
    expect(await find()).toEqual({ command: 'python3', version: '3.12' });
  });

  test('MARTLET_PYTHON comes first', async () => {
    await fakePython();
    await fakePython({ name: 'mine', version: '3.12' });
    expect(await find({ MARTLET_PYTHON: join(folder, 'bin/mine') })).toMatchObject({ version: '3.12' });
  });

  test('says what it found, and what to install', async () => {
    await expect(find()).rejects.toMatchObject({
      code: 'python-missing',
      message: expect.stringMatching(/there is no Python on PATH/),
    });
    await fakePython({ name: 'python3', version: '3.9' });
    await expect(find()).rejects.toMatchObject({
      message: expect.stringMatching(/found: python3 is 3\.9/),
      hint: expect.stringMatching(/Install Python 3\.11/),
    });
    await fakePython({ name: 'python3', version: '3.12', venv: '' });
    await expect(find()).rejects.toMatchObject({
      message: expect.stringMatching(/no working venv module/),
      hint: expect.stringMatching(/python3\.11-venv/),
    });
  });
});
