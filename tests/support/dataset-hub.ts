import { createHash } from 'node:crypto';
import { sendFile, serveHttp, type TestServer } from '../../src/models/test-server.ts';

export interface DatasetHub extends TestServer {
  /** How often each file was asked for, and the bytes that were sent in all. */
  readonly asked: ReadonlyMap<string, number>;
  readonly sentBytes: () => number;
}

const commit = 'e'.repeat(40);

/** A hub that serves files as the data set `org/rows`, in the words of Hugging Face. */
export async function serveDataset(files: ReadonlyMap<string, Buffer>): Promise<DatasetHub> {
  const asked = new Map<string, number>();
  let sent = 0;
  const listing = {
    sha: commit,
    siblings: [...files].map(([rfilename, content]) => {
      const sha256 = createHash('sha256').update(content).digest('hex');
      // As the real one does: small files are kept by git, others by their sha-256.
      const blobId = createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
      return {
        rfilename,
        size: content.length,
        ...(/big/.test(rfilename) ? { lfs: { sha256, size: content.length } } : { blobId }),
      };
    }),
  };
  const server = await serveHttp((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '', 'http://hub').pathname);
    const name = path.startsWith(`/datasets/org/rows/resolve/${commit}/`) ? path.split('/').slice(6).join('/') : '';
    const content = files.get(name);
    if (path.startsWith('/api/datasets/org/rows/revision/')) response.end(JSON.stringify(listing));
    else if (content) {
      asked.set(name, (asked.get(name) ?? 0) + 1);
      sent += content.length;
      sendFile(request, response, content);
    } else response.writeHead(404).end();
  });
  return { ...server, asked, sentBytes: () => sent };
}
