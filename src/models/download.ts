import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MartletError } from '../core/error.ts';
import { type Auth, type Fetch, request as httpRequest } from './http.ts';
import { withPatientLock } from './patient-lock.ts';

export interface Digest {
  /** `git-sha1` is what git calls a file: sha-1 over `blob <size>\0` and the content. */
  readonly algorithm: 'sha256' | 'git-sha1';
  readonly hex: string;
}

export interface Download {
  readonly url: string;
  /**
   * Where it goes; written as `<file>.part` until it is whole and proven. Python's hub client calls its own
   * `<file>.incomplete` and appends to it, which would ruin a file that is written in several places at once.
   */
  readonly file: string;
  readonly bytes: number;
  readonly digest: Digest;
  /** Headers that are sent to the host of `url` and to no other. */
  readonly auth?: Auth | undefined;
  readonly fetch: Fetch;
  readonly signal?: AbortSignal | undefined;
  /** Called with bytes gained; negative when they had to be thrown away. */
  readonly progress?: ((bytes: number) => void) | undefined;
  readonly limits?: Partial<DownloadLimits>;
}

export interface DownloadLimits {
  /** A segment is what is fetched, journaled and repeated as one. */
  readonly segmentBytes: number;
  readonly parallel: number;
  /** A connection that gives nothing for so long is given up and tried again. */
  readonly stallMs: number;
  /** Tries in a row that bring no byte. */
  readonly attempts: number;
  /** Before the second try; doubled for each further one. */
  readonly backoffMs: number;
}

const usual: DownloadLimits = { segmentBytes: 8 << 20, parallel: 4, stallMs: 20_000, attempts: 5, backoffMs: 500 };

/**
 * Fetches a file of known size: in parallel segments where the server serves ranges, continuing what an earlier process
 * began, proven by its digest, under its name only when it is whole. Two processes share one download.
 * @throws MartletError `download-failed` (retryable) or `download-mismatch`
 */
export async function download(request: Download): Promise<void> {
  const { file, bytes, signal } = request;
  const there = async (): Promise<boolean> => (await stat(file).catch(() => undefined))?.size === bytes;
  if (await there()) return request.progress?.(bytes);
  await mkdir(dirname(file), { recursive: true });
  await withPatientLock({ path: `${file}.lock`, signal }, async () => {
    if (await there()) return request.progress?.(bytes);
    // What a killed process left may be damaged; then everything is fetched once more.
    const first = await fetchWhole(request);
    if (first.right) return;
    const second = first.resumed ? await fetchWhole(request) : first;
    if (second.right) return;
    throw new MartletError('download-mismatch', `${request.url} is not what the hub says it is: ${second.found}`, {
      hint: `Expected ${request.digest.algorithm} ${request.digest.hex}. A proxy may have changed it, or the hub is damaged.`,
    });
  });
}

async function fetchWhole(asked: Download): Promise<{ right: boolean; resumed: boolean; found: string }> {
  const { file, bytes, digest } = asked;
  let gained = 0;
  const progress = (more: number): void => {
    gained += more;
    asked.progress?.(more);
  };
  const request: Request = { ...asked, progress, forget: () => progress(-gained) };
  const limits = { ...usual, ...request.limits };
  const part = `${file}.part`;
  const journal = await openJournal(`${part}.journal`, { bytes, segmentBytes: limits.segmentBytes });
  const resumed = journal.done.size > 0;
  const handle = await open(part, resumed ? 'r+' : 'w').catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    journal.done.clear(); // the journal survived its file
    return open(part, 'w');
  });
  try {
    await fetchSegments({ request, limits, handle, journal });
    await handle.sync();
  } finally {
    await handle.close();
    await journal.close();
  }
  const found = await digestOf(part, { algorithm: digest.algorithm, bytes });
  const right = found === digest.hex;
  if (right) await rename(part, file);
  else {
    await rm(part, { force: true });
    request.forget();
  }
  await rm(`${part}.journal`, { force: true });
  return { right, resumed, found };
}

interface Request extends Download {
  readonly progress: (bytes: number) => void;
  /** Takes back all progress of this try. */
  readonly forget: () => void;
}

interface Journal {
  readonly done: Set<number>;
  add(segment: number): Promise<void>;
  close(): Promise<void>;
}

/** One line for the shape of the download, one for each segment that is on the disk. */
async function openJournal(path: string, shape: { bytes: number; segmentBytes: number }): Promise<Journal> {
  const head = JSON.stringify(shape);
  const [first, ...lines] = (await readFile(path, 'utf8').catch(() => '')).split('\n');
  // The last line may be half a number, if the process was killed while it wrote: whole lines end with a comma.
  const done = new Set(
    first === head ? lines.filter((line) => /^\d+,$/.test(line)).map((line) => Number.parseInt(line, 10)) : [],
  );
  const handle = await open(path, done.size > 0 ? 'a' : 'w');
  await handle.appendFile(done.size > 0 ? '\n' : `${head}\n`);
  return {
    done,
    add: async (segment) => {
      await handle.appendFile(`${segment},\n`);
      done.add(segment);
    },
    close: () => handle.close(),
  };
}

async function fetchSegments(context: {
  request: Request;
  limits: DownloadLimits;
  handle: FileHandle;
  journal: Journal;
}): Promise<void> {
  const { request, limits, handle, journal } = context;
  const count = Math.ceil(request.bytes / limits.segmentBytes);
  const waiting = Array.from({ length: count }, (_, segment) => segment).filter(
    (segment) => !journal.done.has(segment),
  );
  for (const segment of journal.done) request.progress(spanOf(segment, request, limits).length);

  // The first answer tells whether the server serves ranges; one that does not sends the whole file.
  const first = waiting.shift();
  if (first === undefined) return;
  const stop = new AbortController();
  const signal = request.signal ? AbortSignal.any([request.signal, stop.signal]) : stop.signal;
  const take = async (segment: number): Promise<'segment' | 'whole'> => {
    const span = spanOf(segment, request, limits);
    const got = await fetchSpan({ request: { ...request, signal }, limits, handle, span });
    if (got === 'segment') {
      await handle.datasync();
      await journal.add(segment);
    }
    return got;
  };
  if ((await take(first)) === 'whole') return;
  const worker = async (): Promise<void> => {
    for (let segment = waiting.shift(); segment !== undefined; segment = waiting.shift()) {
      if ((await take(segment)) === 'whole') waiting.length = 0;
    }
  };
  const workers = Array.from({ length: limits.parallel }, worker);
  try {
    await Promise.all(workers);
  } catch (error) {
    stop.abort();
    await Promise.allSettled(workers);
    throw error;
  }
}

interface Span {
  readonly start: number;
  readonly length: number;
}

function spanOf(segment: number, request: Request, { segmentBytes }: DownloadLimits): Span {
  const start = segment * segmentBytes;
  return { start, length: Math.min(segmentBytes, request.bytes - start) };
}

/** Fetches one span, going on where a broken connection stopped. */
async function fetchSpan(context: {
  request: Request;
  limits: DownloadLimits;
  handle: FileHandle;
  span: Span;
}): Promise<'segment' | 'whole'> {
  const { request, limits, span } = context;
  const progress = { done: 0 };
  let furthest = 0;
  for (let attempt = 0; ; attempt++) {
    try {
      return await fetchOnce({ ...context, progress });
    } catch (error) {
      request.signal?.throwIfAborted();
      if (progress.done > furthest) attempt = -1;
      furthest = Math.max(furthest, progress.done);
      const retryable = !MartletError.is(error) || error.retryable;
      if (!retryable || attempt + 1 >= limits.attempts) {
        if (MartletError.is(error)) throw error;
        throw new MartletError('download-failed', `${request.url}: ${messageOf(error)}`, {
          cause: error,
          retryable: true,
          hint: `${span.start + progress.done} bytes in. The next try goes on from what is there.`,
        });
      }
      await delay(limits.backoffMs * 2 ** Math.max(0, attempt), undefined, { signal: request.signal });
    }
  }
}

async function fetchOnce(context: {
  request: Request;
  limits: DownloadLimits;
  handle: FileHandle;
  span: Span;
  progress: { done: number };
}): Promise<'segment' | 'whole'> {
  const { request, limits, handle, span, progress } = context;
  // A server that sent the whole file for a span may have come further than the span.
  const from = span.start + (progress.done < span.length ? progress.done : 0);
  const whole = span.start === 0 && span.length === request.bytes;
  const stall = new AbortController();
  const signal = request.signal ? AbortSignal.any([request.signal, stall.signal]) : stall.signal;
  const giveUp = () => stall.abort(new Error(`no data for ${limits.stallMs} ms`));
  let timer = setTimeout(giveUp, limits.stallMs);
  try {
    const range = whole && from === 0 ? {} : { range: `bytes=${from}-${span.start + span.length - 1}` };
    const response = await httpRequest(request.url, { ...request, signal, headers: range });
    const ranged = response.status === 206;
    if (ranged) checkRange(request, response.headers.get('content-range'), from);
    else checkLength(request, response.headers.get('content-length'));
    let at = ranged ? from : 0;
    const end = ranged ? span.start + span.length : request.bytes;
    if (!ranged) {
      request.forget();
      progress.done = 0;
    }
    for await (const chunk of response.body ?? []) {
      clearTimeout(timer);
      timer = setTimeout(giveUp, limits.stallMs);
      const bytes = chunk as Uint8Array;
      if (at + bytes.length > end) throw mismatch(request, `it sends more than the ${end - from} bytes asked for`);
      await writeAt(handle, { bytes, at, file: request.file });
      at += bytes.length;
      progress.done += bytes.length;
      request.progress(bytes.length);
    }
    if (at !== end) throw new Error(`the connection ended ${end - at} bytes early`);
    return ranged ? 'segment' : 'whole';
  } finally {
    clearTimeout(timer);
    stall.abort();
  }
}

/** @throws MartletError `disk-failed`; it is not the network's fault and no second try mends it. */
async function writeAt(
  handle: FileHandle,
  { bytes, at, file }: { bytes: Uint8Array; at: number; file: string },
): Promise<void> {
  try {
    for (let done = 0; done < bytes.length; )
      done += (await handle.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
  } catch (cause) {
    throw new MartletError('disk-failed', `${file} cannot be written: ${messageOf(cause)}`, {
      cause,
      hint: 'Make room; the next try goes on from what is there. MARTLET_HOME and HF_HOME choose another disk.',
    });
  }
}

function checkRange(request: Request, header: string | null, from: number): void {
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(header ?? '') ?? [];
  if (Number(start) !== from) throw mismatch(request, `it answers another range (${header})`);
  if (total !== '*' && Number(total) !== request.bytes)
    throw mismatch(request, `it has ${total} bytes and the hub says ${request.bytes}`);
}

/** The length of a compressed answer is not that of the file, and is not sent for one that is made on the way. */
function checkLength(request: Request, header: string | null): void {
  if (header !== null && Number(header) !== request.bytes)
    throw mismatch(request, `it has ${header} bytes and the hub says ${request.bytes}`);
}

function mismatch(request: Request, what: string): MartletError {
  return new MartletError('download-mismatch', `${request.url}: ${what}`);
}

export async function digestOf(
  file: string,
  { algorithm, bytes }: { readonly algorithm: Digest['algorithm']; readonly bytes: number },
): Promise<string> {
  const hash = createHash(algorithm === 'sha256' ? 'sha256' : 'sha1');
  if (algorithm === 'git-sha1') hash.update(`blob ${bytes}\0`);
  for await (const chunk of createReadStream(file, { highWaterMark: 4 << 20 })) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
