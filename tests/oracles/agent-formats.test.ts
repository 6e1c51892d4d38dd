import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { thisPlatform } from '../../src/envs/catalogue.ts';
import { environmentPython } from '../../src/envs/index.ts';
import { isolatedEnv } from '../../src/envs/python-environment.ts';
import { requireOrSkip } from '../support/skip.ts';

const goldens = new URL('../../src/render/goldens/', import.meta.url);

test('what our agent formats are held to is what ms-swift writes and reads', async (context) => {
  const python = await environmentPython({ name: 'ms-swift', env: process.env });
  const platform = { kind: 'platform', reason: 'ms-swift is locked for Linux on x64 alone' } as const;
  requireOrSkip(context, thisPlatform === 'linux-x64', platform);
  requireOrSkip(context, python, { kind: 'tool', reason: 'needs the ms-swift environment: martlet setup ms-swift' });
  const request = await readFile(new URL('agent-cases.json', goldens), 'utf8');
  const said = await new Promise<string>((resolve, reject) => {
    const options = {
      cwd: fileURLToPath(new URL('.', import.meta.url)),
      env: isolatedEnv(process.env),
      maxBuffer: 1 << 25,
    };
    const child = execFile(python, ['-W', 'ignore', 'agent_formats.py'], options, (error, out) =>
      error ? reject(error) : resolve(out),
    );
    child.stdin?.end(request);
  });
  // ms-swift prints while it is imported; the answer is the last line.
  const answer: unknown = JSON.parse(said.trim().split('\n').at(-1) ?? '');
  expect(answer).toEqual(JSON.parse(await readFile(new URL('agent-formats.json', goldens), 'utf8')));
}, 300_000);
