import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { sendFile, serveHttp, type TestServer } from './test-server.ts';

export interface TestHub extends TestServer {
  /** The server that large files are redirected to, as on the real hub. */
  readonly contents: TestServer;
  /** The files it serves; a test may change them. */
  readonly files: Map<string, Buffer>;
}

export const testCommit = 'c'.repeat(40);

/** A hub that serves the files of a folder as `org/tiny`, in the words of Hugging Face and of ModelScope. */
export async function serveHub(
  folder: string,
  options: {
    readonly token?: string;
    /** Asked before every answer; true when it has answered itself. */
    readonly spoil?: (request: IncomingMessage, response: ServerResponse) => boolean;
    /** Members put over the listing. */
    readonly listing?: Readonly<Record<string, unknown>>;
  } = {},
): Promise<TestHub> {
  const names = await readdir(folder);
  const files = new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))] as const)),
  );
  const contentOf = (request: IncomingMessage): Buffer | undefined =>
    files.get(decodeURIComponent(request.url?.split('/').at(-1) ?? ''));
  const contents = await serveHttp((request, response) => {
    const content = contentOf(request);
    // The real one refuses a request that carries a second credential.
    if (!content || request.headers.authorization) response.writeHead(400).end();
    else sendFile(request, response, content);
  });
  const hub = await serveHttp((request, response) => {
    const { url = '', headers } = request;
    if (options.spoil?.(request, response)) return;
    const allowed = [headers.authorization, headers.cookie].some((value) => value?.endsWith(options.token ?? ''));
    const json = (value: unknown): void => void response.end(JSON.stringify(value));
    if (options.token && !allowed) response.writeHead(401).end();
    else if (/^\/api\/models\/org\/tiny\/revision\/(main|v1|c{40})\?blobs=true$/.test(url))
      json({ ...huggingFaceListing(files), ...options.listing });
    else if (url.startsWith('/api/v1/models/org/tiny/repo/files?Revision=master')) json(modelScopeListing(files));
    else if (!contentOf(request) || !/^\/(models\/)?org\/tiny\/resolve\//.test(url)) response.writeHead(404).end();
    else if (url.endsWith('.safetensors'))
      response.writeHead(302, { location: `${contents.url}/${url.split('/').at(-1)}` }).end();
    else sendFile(request, response, contentOf(request) ?? Buffer.alloc(0));
  });
  return {
    ...hub,
    contents,
    files,
    [Symbol.asyncDispose]: async () => {
      await hub[Symbol.asyncDispose]();
      await contents[Symbol.asyncDispose]();
    },
  };
}

export const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

function huggingFaceListing(files: TestHub['files']): Record<string, unknown> {
  const siblings = [...files].map(([rfilename, content]) => {
    const blobId = createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
    const lfs = { sha256: sha256(content), size: content.length, pointerSize: 134 };
    return { rfilename, size: content.length, blobId, ...(rfilename.endsWith('.safetensors') ? { lfs } : {}) };
  });
  const strange = [
    { rfilename: 'onnx/model.safetensors', size: 1, blobId: 'a' },
    { rfilename: '../../escape.json', size: 1, blobId: 'a' },
    { rfilename: 'photo.png', size: 10, blobId: 'b'.repeat(40) },
  ];
  return { id: 'org/tiny', sha: testCommit, siblings: [...siblings, ...strange], cardData: { license: 'mit' } };
}

function modelScopeListing(files: TestHub['files']): unknown {
  const list = [...files].map(([Path, content]) => ({
    ...{ Path, Name: Path, Type: 'blob', Size: content.length, Sha256: sha256(content) },
  }));
  return { Code: 200, Data: { Files: [{ Path: 'onnx', Name: 'onnx', Type: 'tree', Size: 0, Sha256: '' }, ...list] } };
}
