import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { MartletError } from '../core/error.ts';
import { memoryRanOut, speaksOfMemory, systemFailure } from '../core/system-failure.ts';

/**
 * A process of its own that answers calls, because computing blocks the thread it runs on. Messages are
 * `{id, method, argument}` one way, `{id, result}` or `{id, error}` back, and `{event}` for what nobody asked for.
 */
export interface WorkerProcess<Event = unknown> extends AsyncDisposable {
  /** Sent at once, answered in order; fails with the reason when the worker did not get ready. */
  call(method: string, argument: unknown): Promise<unknown>;
  /** The module's `start` has been through. */
  readonly ready: Promise<void>;
  onEvent(listener: (event: Event) => void): void;
  /** Settles when the process is gone, with the reason unless it was asked to go. */
  readonly ended: Promise<MartletError | null>;
  readonly pid: number | undefined;
}

export interface StartWorkerOptions {
  /** Module to run, without its extension, relative to this folder. */
  readonly module: 'train-worker' | 'serve-worker';
  readonly argument: unknown;
  readonly signal?: AbortSignal | undefined;
}

interface WireError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly retryable: boolean;
}

type Reply =
  | { readonly id: number; readonly result?: unknown; readonly error?: WireError }
  | { readonly event: unknown };

/** Starts the process and asks it to `start`; what is asked of it meanwhile waits there, not here. */
export function startWorker<Event>(options: StartWorkerOptions): WorkerProcess<Event> {
  // The same module stands beside this one as source in a checkout and as JavaScript in the package.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const child = fork(new URL(`./${options.module}.${extension}`, import.meta.url), [], {
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    // Ctrl-C reaches the whole group; the engine stops when it is told to, after the step it is in.
    detached: true,
  });
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: unknown) => void }>();
  const listeners: ((event: Event) => void)[] = [];
  let complaint = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-4000);
  });
  let count = 0;
  let asked = false;
  const killsBefore = memoryKills();
  const ended = new Promise<MartletError | null>((resolve) => {
    const end = (reason: MartletError | null): void => {
      for (const { reject } of waiting.values()) reject(reason ?? stopped());
      waiting.clear();
      resolve(reason);
    };
    // After `exit` its last words may still be on their way; `close` comes when they have been read.
    child.once('close', (code, signal) => {
      end(asked ? null : diedBecause({ code, signal, complaint, killedForMemory: memoryKills() !== killsBefore }));
    });
    // It could not be started, or a message could not be sent; in the second case `close` tells why.
    child.on('error', (error) => {
      if (child.pid === undefined) end(engineError(error));
    });
  });
  child.on('message', (message: Reply) => {
    if ('event' in message) {
      for (const listener of listeners) listener(message.event as Event);
      return;
    }
    const call = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error) call?.reject(new MartletError(message.error.code, message.error.message, message.error));
    else call?.resolve(message.result);
  });
  const send = (method: string, argument: unknown): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const id = count++;
      if (!child.connected) {
        void ended.then((reason) => reject(reason ?? stopped()));
        return;
      }
      waiting.set(id, { resolve, reject });
      // A message that cannot be sent has no listener: the process is going, and its end answers the call.
      child.send({ id, method, argument }, () => {});
    });
  const stop = async (): Promise<void> => {
    asked = true;
    stopChild(child);
    await ended;
  };
  const abort = (): void => void stop();
  if (options.signal?.aborted) abort();
  options.signal?.addEventListener('abort', abort, { once: true });
  void ended.then(() => options.signal?.removeEventListener('abort', abort));
  const ready = send('start', options.argument).then(
    () => {},
    async (error: unknown) => {
      await stop();
      throw error;
    },
  );
  ready.catch(() => {});
  return {
    async call(method, argument) {
      const answer = send(method, argument);
      answer.catch(() => {});
      await ready;
      return await answer;
    },
    ready,
    onEvent: (listener) => listeners.push(listener),
    ended,
    pid: child.pid,
    [Symbol.asyncDispose]: stop,
  };
}

function stopChild(child: ChildProcess): void {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
}

const stopped = (): MartletError => new MartletError('engine-stopped', 'the engine was stopped', { retryable: true });

/** What the end of a process nobody asked to end means. */
function diedBecause(how: {
  readonly code: number | null;
  readonly signal: string | null;
  readonly complaint: string;
  /** Whether the system killed a process for memory meanwhile. */
  readonly killedForMemory: boolean;
}): MartletError {
  const last = how.complaint.trim().split('\n').slice(-3).join(' | ');
  const way = how.signal ?? `exit ${how.code}`;
  const memory = speaksOfMemory(how.complaint) || (how.signal === 'SIGKILL' && how.killedForMemory);
  if (memory) {
    const { code, hint } = memoryRanOut;
    return new MartletError(code, `memory ran out: the engine ended by ${way}${last ? ` (${last})` : ''}`, {
      hint,
      retryable: true,
    });
  }
  if (how.signal === 'SIGKILL')
    return new MartletError('engine-killed', 'the engine process was killed from outside (SIGKILL)', {
      hint: 'Run it again: it goes on from the last checkpoint. If nobody killed it, the system did, most likely for memory: free some, or lower train.packTokens.',
      retryable: true,
    });
  return new MartletError('engine-died', `the engine ended by itself (${way})${last ? `: ${last}` : ''}`, {
    hint: how.signal
      ? 'Run it again: it goes on from the last checkpoint. A crash without a word is often memory that was refused: free some, or lower train.packTokens; report it if it happens again.'
      : 'Run it again: it goes on from the last checkpoint. Report it if it happens again.',
    retryable: true,
  });
}

/** Processes that Linux has killed for memory since it began, containers included; undefined elsewhere. */
function memoryKills(): string | undefined {
  try {
    return /^oom_kill (\d+)$/m.exec(readFileSync('/proc/vmstat', 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

export type Handlers = Readonly<Record<string, (argument: never) => Promise<unknown>>>;

/** The other side: answers calls one after the other, and ends when its parent does. */
export function hostWorker(handlers: (emit: (event: unknown) => void) => Handlers): void {
  const send = (message: Reply): void => {
    if (process.connected) process.send?.(message);
  };
  const known = handlers((event) => send({ event }));
  let queue: Promise<void> = Promise.resolve();
  process.on('message', (message: { readonly id: number; readonly method: string; readonly argument: unknown }) => {
    queue = queue.then(async () => {
      try {
        const handler = known[message.method];
        if (!handler) throw new MartletError('bug', `the engine has no method ${message.method}`);
        send({ id: message.id, result: await handler(message.argument as never) });
      } catch (error) {
        send({ id: message.id, error: wireError(error) });
      }
    });
  });
  process.on('disconnect', () => process.exit(0));
}

function wireError(error: unknown): WireError {
  const { code, message, hint, retryable } = engineError(error);
  return { code, message, hint, retryable };
}

/** Errors that say only that something else failed underneath. */
const vagueCodes = ['bug', 'onnxruntime-broken'];

function engineError(error: unknown): MartletError {
  if (MartletError.is(error) && !vagueCodes.includes(error.code)) return error;
  const system = systemFailure(error);
  if (system) return new MartletError(system.code, system.message, { ...system, cause: error });
  if (MartletError.is(error)) return error;
  return new MartletError('engine-failed', error instanceof Error ? (error.stack ?? error.message) : String(error), {
    hint: 'Report it with this message. Running it again goes on from the last checkpoint.',
    cause: error,
  });
}
