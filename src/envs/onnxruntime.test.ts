import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type EnsureOnnxRuntimeOptions, ensureOnnxRuntime, loadOnnxRuntime } from './onnxruntime.ts';
import { extractTarball } from './tar.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'martlet-test-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

const native = `package/bin/napi-v6/${process.platform}/${process.arch}`;
const members = {
  'package/package.json': '{"name":"onnxruntime-node","main":"dist/index.js"}',
  'package/dist/index.js': "module.exports = { ...require('onnxruntime-common'), native: __dirname };",
  'package/dist/index.d.ts': 'export {};',
  'package/script/install.js': "throw new Error('install scripts never run');",
  [`${native}/onnxruntime_binding.node`]: 'binding',
  'package/bin/napi-v6/plan9/mips/onnxruntime_binding.node': 'foreign',
};

/** A `.tgz` as npm makes it: ustar headers, octal sizes, two empty blocks at the end. */
function tarball(files: Record<string, string>): Buffer {
  const blocks = Object.entries(files).flatMap(([name, text]) => {
    const body = Buffer.from(text);
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write(`${body.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write('        0', 148);
    header.write('ustar\x0000', 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [header, body, Buffer.alloc((512 - (body.length % 512)) % 512)];
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

const integrityOf = (bytes: Buffer): string => `sha512-${createHash('sha512').update(bytes).digest('base64')}`;

function options(bytes: Buffer, integrity = integrityOf(bytes)) {
  const log: string[] = [];
  let fetched = 0;
  const source = {
    integrity,
    async fetch(folder: string) {
      fetched++;
      await writeFile(join(folder, 'package.tgz'), bytes);
      return join(folder, 'package.tgz');
    },
  };
  const made: EnsureOnnxRuntimeOptions = { home, env: {}, log: (line) => log.push(line), source };
  return { ...made, source, lines: log, fetched: () => fetched };
}

test('keeps what this platform runs, and the runtime finds its types beside it', async () => {
  const given = options(tarball(members));
  const folder = await ensureOnnxRuntime(given);
  const kept = (await readdir(join(folder, 'node_modules/onnxruntime-node'), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name);
  expect(kept.sort()).toEqual(['index.js', 'onnxruntime_binding.node', 'package.json']);
  const runtime = loadOnnxRuntime(folder);
  expect(new runtime.Tensor('float32', new Float32Array(6), [2, 3]).dims).toEqual([2, 3]);
});

test('is fetched once, also when two want it at the same time', async () => {
  const given = options(tarball(members));
  const [one, two] = await Promise.all([ensureOnnxRuntime(given), ensureOnnxRuntime(given)]);
  expect(one).toBe(two);
  expect(await ensureOnnxRuntime(given)).toBe(one);
  expect(given.fetched()).toBe(1);
  expect(given.lines).toContain('Waiting for another process that is fetching ONNX Runtime');
  expect(await readdir(join(home, 'onnxruntime'))).toEqual([`1.30.0-${process.platform}-${process.arch}`]);
});

test('another package under its name is refused and leaves nothing', async () => {
  const given = options(tarball(members), integrityOf(Buffer.from('the real one')));
  await expect(ensureOnnxRuntime(given)).rejects.toMatchObject({ code: 'integrity-mismatch' });
  expect(await readdir(join(home, 'onnxruntime'))).toEqual([]);
});

test('a package without a build for this platform is refused and leaves nothing', async () => {
  const { [`${native}/onnxruntime_binding.node`]: _, ...foreign } = members;
  await expect(ensureOnnxRuntime(options(tarball(foreign)))).rejects.toMatchObject({ code: 'archive-damaged' });
  expect(await readdir(join(home, 'onnxruntime'))).toEqual([]);
});

test('MARTLET_ONNXRUNTIME names the package where no registry can be reached', async () => {
  const given = options(tarball(members));
  const file = join(home, 'carried.tgz');
  await writeFile(file, tarball(members));
  const folder = await ensureOnnxRuntime({ ...given, env: { MARTLET_ONNXRUNTIME: file } });
  expect(existsSync(join(folder, 'ready.json'))).toBe(true);
  expect(given.fetched()).toBe(0);
  const wrong = { ...given, home: join(home, 'other'), env: { MARTLET_ONNXRUNTIME: join(home, 'none.tgz') } };
  await expect(ensureOnnxRuntime(wrong)).rejects.toMatchObject({ code: 'file-missing' });
});

test('a registry that cannot be reached is named with what to do', async () => {
  const env = {
    PATH: process.env.PATH,
    HOME: home,
    npm_config_registry: 'http://127.0.0.1:9/',
    npm_config_fetch_retries: '0',
  };
  const failure = ensureOnnxRuntime({ home, env, log: () => {} });
  await expect(failure).rejects.toMatchObject({ code: 'registry-unreachable', retryable: true });
  await expect(failure).rejects.toThrow(/ECONNREFUSED/);
  const noNpm = ensureOnnxRuntime({ home, env: { PATH: home }, log: () => {} });
  await expect(noNpm).rejects.toMatchObject({
    code: 'npm-missing',
    hint: expect.stringContaining('MARTLET_ONNXRUNTIME'),
  });
});

test('a runtime that does not load says where it stands', async () => {
  const folder = await ensureOnnxRuntime(
    options(tarball({ ...members, 'package/dist/index.js': "throw new Error('GLIBC_9')" })),
  );
  expect(() => loadOnnxRuntime(folder)).toThrow(
    expect.objectContaining({ code: 'onnxruntime-broken', hint: expect.stringContaining(folder) }),
  );
});

test('an archive cut short at any place is damaged, never a shorter file', async () => {
  const whole = tarball({ 'a.txt': 'x'.repeat(3000), 'b.txt': 'end' });
  for (const bytes of [whole.subarray(0, whole.length - 9), whole.subarray(0, 40), Buffer.from('not an archive')]) {
    const file = join(home, 'cut.tgz');
    await writeFile(file, bytes);
    const target = await mkdtemp(join(home, 'out-'));
    const extraction = extractTarball({ file, select: (member) => join(target, member) });
    await expect(extraction).rejects.toMatchObject({ code: 'archive-damaged' });
  }
  const file = join(home, 'whole.tgz');
  await writeFile(file, whole);
  expect(await extractTarball({ file, select: (member) => join(home, member) })).toEqual(['a.txt', 'b.txt']);
  expect(await readFile(join(home, 'a.txt'), 'utf8')).toBe('x'.repeat(3000));
});
