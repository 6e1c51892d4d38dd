import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { randomStream, streamKey } from '../core/random.ts';
import { type Download, download } from './download.ts';
import { proxiedFetch } from './http.ts';
import { answerFor, sendFile, serveHttp } from './test-server.ts';

const content = randomBytes(300_000);
const limits = { segmentBytes: 65_536, parallel: 3, stallMs: 3000, attempts: 3, backoffMs: 1 };
const segments = Math.ceil(content.length / limits.segmentBytes);
const digest = { algorithm: 'sha256', hex: createHash('sha256').update(content).digest('hex') } as const;
const fetch = proxiedFetch({});

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'martlet-download-'));
});
afterAll(() => rm(folder, { recursive: true }));

let count = 0;
function ask(url: string, more: Partial<Download> = {}): Download {
  return { url, file: join(folder, `${++count}`, 'file'), bytes: content.length, digest, fetch, limits, ...more };
}

/** What stands beside a file after its download, and whether the file is right. */
async function left(file: string): Promise<{ right: boolean; beside: string[] }> {
  const names = await readdir(join(file, '..'));
  const found = await readFile(file).catch(() => undefined);
  return { right: found?.equals(content) ?? false, beside: names.filter((name) => name !== 'file') };
}

describe('a server that behaves', () => {
  test('gives the file in ranged segments, and says how far it is', async () => {
    await using server = await serveHttp((request, response) => sendFile(request, response, content));
    let gained = 0;
    const request = ask(server.url, { progress: (bytes) => (gained += bytes) });
    await download(request);
    expect(await left(request.file)).toEqual({ right: true, beside: [] });
    expect(server.requests).toHaveLength(segments);
    expect(server.requests.map(({ headers }) => headers.range).sort()[0]).toBe('bytes=0-65535');
    expect(gained).toBe(content.length);
  });

  test('is not asked for a file that is there', async () => {
    await using server = await serveHttp((request, response) => sendFile(request, response, content));
    const request = ask(server.url);
    await download(request);
    const before = server.requests.length;
    await download(request);
    expect(server.requests).toHaveLength(before);
  });

  test('is not asked for an empty file', async () => {
    const request = ask('http://127.0.0.1:9', {
      bytes: 0,
      digest: { algorithm: 'git-sha1', hex: 'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391' },
    });
    await download(request);
    expect(await readFile(request.file)).toHaveLength(0);
  });

  test('serves two downloads of one file once', async () => {
    await using server = await serveHttp((request, response) => sendFile(request, response, content));
    const request = ask(server.url);
    await Promise.all([download(request), download(request), download(request)]);
    expect(server.requests).toHaveLength(segments);
    expect(await left(request.file)).toEqual({ right: true, beside: [] });
  });
});

describe('a server that misbehaves', () => {
  test('ignoring ranges: the whole file is taken from one answer', async () => {
    await using server = await serveHttp((_, response) => response.end(content));
    let gained = 0;
    const request = ask(server.url, { progress: (bytes) => (gained += bytes) });
    await download(request);
    expect(await left(request.file)).toEqual({ right: true, beside: [] });
    expect(server.requests).toHaveLength(1);
    expect(gained).toBe(content.length);
  });

  test('truncating every first answer: it goes on at the byte where the answer broke', async () => {
    const seen = new Set<string>();
    await using server = await serveHttp((request, response) => {
      const { status, headers, body } = answerFor(request, content);
      const end = String(request.headers.range).split('-')[1] ?? '';
      response.writeHead(status, headers);
      if (seen.has(end)) response.end(body);
      else response.write(body.subarray(0, 1000), () => response.destroy());
      seen.add(end);
    });
    const request = ask(server.url, { limits: { ...limits, parallel: 1 } });
    await download(request);
    expect(await left(request.file)).toEqual({ right: true, beside: [] });
    expect(server.requests).toHaveLength(2 * segments);
    expect(server.requests[1]?.headers.range).toBe('bytes=1000-65535');
  });

  test('truncating and ignoring ranges: it gives up, however the places of the breaks alternate', async () => {
    await using server = await serveHttp((_, response, nth) => {
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, nth % 2 === 0 ? 70_000 : 50_000), () => response.destroy());
    });
    const request = ask(server.url);
    await expect(download(request)).rejects.toMatchObject({ code: 'download-failed', retryable: true });
    expect(server.requests.length).toBeLessThanOrEqual(2 * limits.attempts + 1);
    expect((await left(request.file)).right).toBe(false);
  });

  test('stalling in the middle: the connection is given up and the rest fetched by another', async () => {
    await using server = await serveHttp((request, response, nth) => {
      const { status, headers, body } = answerFor(request, content);
      response.writeHead(status, headers);
      if (nth === 1) response.write(body.subarray(0, 500));
      else response.end(body);
    });
    const request = ask(server.url, { limits: { ...limits, parallel: 1, stallMs: 150 } });
    await download(request);
    expect(server.requests[1]?.headers.range).toBe('bytes=500-65535');
    expect(await left(request.file)).toEqual({ right: true, beside: [] });
  });

  test('never answering: it fails after its tries, retryable, with nothing under the final name', async () => {
    await using server = await serveHttp(() => {});
    const request = ask(server.url, { limits: { ...limits, stallMs: 20 } });
    await expect(download(request)).rejects.toMatchObject({
      code: 'download-failed',
      retryable: true,
      message: expect.stringContaining('no data for 20 ms'),
    });
    expect(server.requests).toHaveLength(limits.attempts);
    expect((await left(request.file)).right).toBe(false);
  });

  test('busy at first (503): it is asked again', async () => {
    await using server = await serveHttp((request, response, nth) =>
      nth < 3 ? response.writeHead(503).end() : sendFile(request, response, content),
    );
    const request = ask(server.url);
    await download(request);
    expect((await left(request.file)).right).toBe(true);
  });

  test.each([
    [403, 'access-denied'],
    [404, 'not-found'],
  ])('answering %i: it is not asked again', async (status, code) => {
    await using server = await serveHttp((_, response) => response.writeHead(status).end());
    await expect(download(ask(server.url))).rejects.toMatchObject({ code });
    expect(server.requests).toHaveLength(1);
  });

  test('lying about the hash: refused, and nothing is kept', async () => {
    await using server = await serveHttp((request, response) =>
      sendFile(request, response, Buffer.concat([content.subarray(1), content.subarray(0, 1)])),
    );
    let gained = 0;
    const request = ask(server.url, { progress: (bytes) => (gained += bytes) });
    await expect(download(request)).rejects.toMatchObject({ code: 'download-mismatch' });
    expect(await left(request.file)).toEqual({ right: false, beside: [] });
    expect(gained).toBe(0);
  });

  test.each([
    ['a longer file than the hub says', { 'content-length': '300001' }, 200],
    ['another total than the hub says', { 'content-range': 'bytes 0-65535/299999' }, 206],
    ['another range than was asked for', { 'content-range': 'bytes 1-65536/300000' }, 206],
  ])('promising %s: refused at once', async (_, headers, status) => {
    await using server = await serveHttp((__, response) => response.writeHead(status, headers).flushHeaders());
    await expect(download(ask(server.url))).rejects.toMatchObject({ code: 'download-mismatch' });
    expect(server.requests).toHaveLength(1);
  });

  test('sending more than it promised: refused', async () => {
    await using server = await serveHttp((request, response) => {
      const { 'content-range': range = '' } = answerFor(request, content).headers;
      response.writeHead(206, { 'content-range': range }).end(content);
    });
    await expect(download(ask(server.url))).rejects.toMatchObject({ code: 'download-mismatch' });
  });

  test('redirecting in a circle: refused', async () => {
    await using server = await serveHttp((_, response) => response.writeHead(302, { location: '/' }).end());
    await expect(download(ask(server.url))).rejects.toThrow('redirects more than 8 times');
  });
});

test('a credential goes to the host it is for, and not to the one it redirects to', async () => {
  await using other = await serveHttp((request, response) => sendFile(request, response, content));
  await using server = await serveHttp((request, response) =>
    request.url === '/here'
      ? response.writeHead(307, { location: `${other.url}/there` }).end()
      : response.writeHead(307, { location: '/here' }).end(),
  );
  const request = ask(server.url, { auth: { authorization: 'Bearer secret' } });
  await download(request);
  expect((await left(request.file)).right).toBe(true);
  expect(new Set(server.requests.map(({ headers }) => headers.authorization))).toEqual(new Set(['Bearer secret']));
  expect(new Set(other.requests.map(({ headers }) => headers.authorization))).toEqual(new Set([undefined]));
});

test('an abort stops it at once, and the next call goes on from there', async () => {
  const controller = new AbortController();
  await using server = await serveHttp((request, response, nth) => {
    if (nth === 3) controller.abort(new Error('enough'));
    if (nth !== 3) sendFile(request, response, content);
  });
  const request = ask(server.url, { limits: { ...limits, parallel: 1 } });
  await expect(download({ ...request, signal: controller.signal })).rejects.toThrow('enough');
  await download(request);
  expect(server.requests).toHaveLength(segments + 1);
  expect(await left(request.file)).toEqual({ right: true, beside: [] });
});

describe('a process that is killed in the middle', () => {
  /** Runs a download in a process of its own and kills it with its third request open. */
  async function killed(request: Download): Promise<void> {
    const { fetch: _, ...plain } = request;
    const code = `import { download } from ${JSON.stringify(new URL('./download.ts', import.meta.url).href)};
      import { proxiedFetch } from ${JSON.stringify(new URL('./http.ts', import.meta.url).href)};
      await download({ ...${JSON.stringify(plain)}, fetch: proxiedFetch({}) });`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'ignore' });
    await third.promise;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  let third = Promise.withResolvers<void>();
  const serve = () => {
    third = Promise.withResolvers<void>();
    return serveHttp((request, response, nth) => {
      if (nth === 3) third.resolve();
      else sendFile(request, response, content);
    });
  };

  test('leaves what the next one goes on from at once', async () => {
    await using server = await serve();
    const request = ask(server.url, { limits: { ...limits, parallel: 1 } });
    await killed(request);
    expect((await left(request.file)).right).toBe(false);
    let gained = 0;
    await download({ ...request, progress: (bytes) => (gained += bytes) });
    expect(server.requests).toHaveLength(segments + 1);
    expect(gained).toBe(content.length);
    expect(await left(request.file)).toEqual({ right: true, beside: [] });
  });

  test('and whose file was damaged then: everything is fetched once more', async () => {
    await using server = await serve();
    const request = ask(server.url, { limits: { ...limits, parallel: 1 } });
    await killed(request);
    await writeFile(`${request.file}.part`, Buffer.alloc(content.length));
    await download(request);
    expect(await left(request.file)).toEqual({ right: true, beside: [] });
    expect(server.requests.length).toBe(3 + (segments - 2) + segments);
  });

  test('and whose journal outlived its file: everything is fetched', async () => {
    await using server = await serve();
    const request = ask(server.url, { limits: { ...limits, parallel: 1 } });
    await killed(request);
    await rm(`${request.file}.part`);
    await download(request);
    expect(await left(request.file)).toEqual({ right: true, beside: [] });
    expect(server.requests).toHaveLength(3 + segments);
  });
});

function randomBytes(length: number): Buffer {
  const { below } = randomStream(streamKey(1));
  return Buffer.from(Array.from({ length }, () => below(256)));
}
