import { createHash } from 'node:crypto';
import { lstatSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fetchHubDataset, type HubDatasetRequest } from './fetch-hub-dataset.ts';
import { sendFile, serveHttp, type TestServer } from './test-server.ts';

let home = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'martlet-hub-data-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const commit = 'd'.repeat(40);
const files = new Map(
  Object.entries({
    'README.md':
      '---\nconfigs:\n- config_name: en\n  data_files:\n  - split: train\n    path: en/train-*\n  - split: test\n    path: en/test.jsonl\n- config_name: de\n  data_files: "de/*.jsonl"\n---\n',
    'en/train-00001.jsonl': '{"n":2}\n',
    'en/train-00000.jsonl': '{"n":1}\n',
    'en/test.jsonl': '{"n":3}\n',
    'de/a b.jsonl': '{"n":4}\n',
  }).map(([name, text]) => [name, Buffer.from(text)]),
);
const digest = (algorithm: string, ...parts: (string | Buffer)[]): string => {
  const hash = createHash(algorithm);
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
};

/** A hub that serves the data set `org/rows` in the words of Hugging Face and of ModelScope, two files a page. */
const serveRows = (spoiled: ReadonlyMap<string, Buffer> = new Map()): Promise<TestServer> =>
  serveHttp((request, response) => {
    const url = new URL(request.url ?? '', 'http://hub');
    const send = (name: string): void =>
      sendFile(request, response, spoiled.get(name) ?? files.get(name) ?? Buffer.alloc(0));
    const resolve = `/datasets/org/rows/resolve/${commit}/`;
    if (url.pathname === '/api/datasets/org/rows/revision/v1') {
      const siblings = [...files].map(([rfilename, content]) => ({
        ...{ rfilename, size: content.length },
        ...(rfilename.startsWith('en/train')
          ? { lfs: { sha256: digest('sha256', content), size: content.length } }
          : { blobId: digest('sha1', `blob ${content.length}\0`, content) }),
      }));
      response.end(
        JSON.stringify({ sha: commit, siblings: [...siblings, { rfilename: '../up.jsonl', size: 1, blobId: 'a' }] }),
      );
    } else if (url.pathname.startsWith(resolve)) send(decodeURIComponent(url.pathname.slice(resolve.length)));
    else if (url.pathname === '/api/v1/datasets/org/rows/repo/tree') {
      const page = Number(url.searchParams.get('PageNumber'));
      const all = [...files].map(([Path, content]) => ({
        Path,
        Type: 'blob',
        Size: content.length,
        Sha256: digest('sha256', content),
      }));
      const filler = Array.from({ length: 197 }, (_, index) => ({
        Path: `media/${index}.png`,
        Type: 'blob',
        Size: 1,
        Sha256: 'e'.repeat(64),
      }));
      const listed = [...all.slice(0, 3), ...filler, ...all.slice(3)];
      response.end(JSON.stringify({ Code: 200, Data: { Files: listed.slice((page - 1) * 200, page * 200) } }));
    } else if (url.pathname === '/api/v1/datasets/org/rows/repo') send(url.searchParams.get('FilePath') ?? '');
    else response.writeHead(404).end();
  });

const request = (hub: TestServer | null, more: Partial<HubDatasetRequest> = {}): HubDatasetRequest => ({
  ...{ kind: 'hf', id: 'org/rows', revision: 'v1', home, log: () => undefined },
  env: { HF_ENDPOINT: hub?.url, MODELSCOPE_DOMAIN: hub?.url, HF_HOME: join(home, 'hf') },
  limits: { download: { attempts: 1, backoffMs: 1 } },
  ...more,
});

const texts = (paths: readonly string[]): string[] => paths.map((path) => readFileSync(path, 'utf8'));

test('a subset of Hugging Face is fetched into the cache of its Python client, once', async () => {
  await using hub = await serveRows();
  const paths = await fetchHubDataset(request(hub, { parts: ['en'] }));
  expect(texts(paths)).toEqual(['{"n":1}\n', '{"n":2}\n']);
  const cache = join(home, 'hf', 'hub', 'datasets--org--rows');
  expect(paths.map((path) => relative(cache, path))).toEqual(
    [0, 1].map((n) => `snapshots/${commit}/en/train-0000${n}.jsonl`),
  );
  expect(lstatSync(paths[0] ?? '').isSymbolicLink()).toBe(true);
  expect(readFileSync(join(cache, 'refs', 'v1'), 'utf8')).toBe(commit);
  const asked = hub.requests.length;
  expect(await fetchHubDataset(request(hub, { parts: ['en'] }))).toEqual(paths);
  expect(await fetchHubDataset(request(null, { parts: ['en'], offline: true }))).toEqual(paths);
  expect(hub.requests.length).toBe(asked);
  expect(texts(await fetchHubDataset(request(hub, { parts: ['en'], split: 'test' })))).toEqual(['{"n":3}\n']);
  expect(texts(await fetchHubDataset(request(hub, { parts: ['de'] })))).toEqual(['{"n":4}\n']);
  expect(texts(await fetchHubDataset(request(hub, { parts: ['de', 'en', 'train'] })))).toEqual([
    '{"n":4}\n',
    '{"n":1}\n',
    '{"n":2}\n',
  ]);
  await expect(fetchHubDataset(request(hub, { parts: ['fr'] }))).rejects.toMatchObject({ code: 'subset-unknown' });
});

test('a data set of ModelScope is fetched page by page', async () => {
  await using hub = await serveRows();
  const paths = await fetchHubDataset(request(hub, { kind: 'modelscope', revision: 'master', parts: ['de'] }));
  expect(texts(paths)).toEqual(['{"n":4}\n']);
  expect(hub.requests.filter(({ url }) => url?.includes('repo/tree'))).toHaveLength(2);
  expect(
    await fetchHubDataset(request(null, { kind: 'modelscope', revision: 'master', parts: ['de'], offline: true })),
  ).toEqual(paths);
});

test('what is not what the hub says is refused, and so is what is not here without a network', async () => {
  await using hub = await serveRows(new Map([['en/train-00000.jsonl', Buffer.from('{"n":9}\n')]]));
  await expect(fetchHubDataset(request(hub, { parts: ['en'] }))).rejects.toMatchObject({ code: 'download-mismatch' });
  await expect(fetchHubDataset(request(hub, { offline: true }))).rejects.toMatchObject({ code: 'offline' });
});
