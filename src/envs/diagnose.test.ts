import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { diagnose, nodeFinding } from './diagnose.ts';

let home = '';
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'martlet-doctor-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

const findings = async (more: { env?: Record<string, string>; network?: boolean; home?: string } = {}) => {
  const all = await diagnose({ home, env: { PATH: home }, network: false, ...more });
  return new Map(all.map((finding) => [finding.name, finding]));
};

test.each([
  ['24.21.0', 'ok'],
  ['22.12.0', 'ok'],
  ['22.11.9', 'problem'],
  ['20.20.2', 'problem'],
])('Node %s is %s', (version, state) => expect(nodeFinding(version).state).toBe(state));

test('on a bare machine everything optional is missing, with the command that makes it', async () => {
  const found = await findings();
  expect(found.get('ONNX Runtime')).toMatchObject({ state: 'missing', fix: 'martlet setup onnxruntime' });
  expect(found.get('Python')).toMatchObject({ state: 'missing', fix: expect.stringContaining('Install Python') });
  expect(found.get('Cache')).toMatchObject({ state: 'ok', detail: home });
  expect(found.get('Environment oracles')?.state).toBe('missing');
  expect(found.has('Hub')).toBe(false);
});

test('a cache that cannot be written is a problem with a way out', async () => {
  const file = join(home, 'file');
  await writeFile(file, '');
  expect((await findings({ home: join(file, 'inside') })).get('Cache')).toMatchObject({
    state: 'problem',
    fix: expect.stringContaining('MARTLET_HOME'),
  });
});

test('the hub is asked only when wanted, at its own address', async () => {
  const server = createServer((_, answer) => answer.end()).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const ask = async () => (await findings({ env: { PATH: home, HF_ENDPOINT: endpoint }, network: true })).get('Hub');
  try {
    expect(await ask()).toMatchObject({ state: 'ok', detail: expect.stringContaining(`${endpoint} answered 200`) });
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  expect(await ask()).toMatchObject({ state: 'problem', detail: expect.stringContaining(endpoint) });
});
