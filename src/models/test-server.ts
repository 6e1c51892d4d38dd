import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface TestServer extends AsyncDisposable {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** Every request so far. */
  readonly requests: readonly IncomingMessage[];
}

/** An HTTP server on a free port of this machine; connections that still hang are cut when it is disposed. */
export async function serveHttp(
  answer: (request: IncomingMessage, response: ServerResponse, count: number) => void,
): Promise<TestServer> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => answer(request, response, requests.push(request)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Answers as a well-behaved file server does: 200 for all, 206 for a range. */
export function sendFile(request: IncomingMessage, response: ServerResponse, content: Buffer): void {
  const { body, headers, status } = answerFor(request, content);
  response.writeHead(status, headers).end(body);
}

/** What `sendFile` sends, for servers that spoil it. */
export function answerFor(
  request: IncomingMessage,
  content: Buffer,
): { readonly status: number; readonly headers: Record<string, string>; readonly body: Buffer } {
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
  if (from === undefined) return { status: 200, headers: { 'content-length': String(content.length) }, body: content };
  const body = content.subarray(Number(from), Number(to) + 1);
  const range = `bytes ${from}-${Number(from) + body.length - 1}/${content.length}`;
  return { status: 206, headers: { 'content-length': String(body.length), 'content-range': range }, body };
}
