import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, test } from 'vitest';
import { proxiedFetch, request } from './http.ts';
import { serveHttp } from './test-server.ts';

/** A proxy that tunnels, and says where to. */
async function serveProxy(): Promise<{ url: string; tunnels: string[] } & AsyncDisposable> {
  const tunnels: string[] = [];
  const sockets = new Set<{ destroy(): void }>();
  const proxy = createServer().on('connect', ({ url = '' }, socket) => {
    tunnels.push(url);
    const [host, port] = url.split(':');
    const target = connect(Number(port), host, () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
    sockets.add(socket).add(target);
    socket.on('error', () => {}).pipe(target);
    target.on('error', () => {}).pipe(socket);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    tunnels,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      proxy.close();
      await once(proxy, 'close');
    },
  };
}

test('requests go through the proxy that the environment names, in either case, but not to hosts it leaves out', async () => {
  await using proxy = await serveProxy();
  await using server = await serveHttp((_, response) => response.end('{"answer": 42}'));
  const ask = async (env: Record<string, string>): Promise<unknown> =>
    (await request(server.url, { fetch: proxiedFetch(env) })).json();
  expect(await ask({ HTTP_PROXY: proxy.url })).toEqual({ answer: 42 });
  expect(await ask({ http_proxy: proxy.url })).toEqual({ answer: 42 });
  expect(proxy.tunnels).toEqual([new URL(server.url).host, new URL(server.url).host]);
  await ask({ HTTP_PROXY: proxy.url, NO_PROXY: 'example.org,127.0.0.1' });
  await ask({});
  expect(proxy.tunnels).toHaveLength(2);
});

test('what began with https goes on with nothing less', async () => {
  const asked: string[] = [];
  const answer = { status: 302, headers: new Headers({ location: 'http://example.org/' }), body: null };
  const fetch = async (url: string) => {
    asked.push(url);
    return { ...answer, json: async () => null };
  };
  await expect(request('https://example.org/', { fetch })).rejects.toThrow('redirects to http://, which is not safe');
  expect(asked).toEqual(['https://example.org/']);
});
