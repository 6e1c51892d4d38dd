import { type ChildProcess, fork } from 'node:child_process';
import { MartletError } from '../core/error.ts';

/**
 * A process of its own that answers calls, because computing blocks the thread it runs on. Messages are
 * `{id, method, argument}` one way, `{id, result}` or `{id, error}` back, and `{event}` for what nobody asked for.
 */
export interface WorkerProcess<Event = unknown> extends AsyncDisposable {
  call(method: string, argument: unknown): Promise<unknown>;
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

export async function startWorker<Event>(options: StartWorkerOptions): Promise<WorkerProcess<Event>> {
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
  const ended = new Promise<MartletError | null>((resolve) => {
    child.once('exit', (code, signal) => {
      const reason = asked ? null : diedBecause({ code, signal, complaint });
      for (const { reject } of waiting.values())
        reject(reason ?? new MartletError('engine-stopped', 'the engine was stopped'));
      waiting.clear();
      resolve(reason);
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
  const call = (method: string, argument: unknown): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const id = count++;
      if (!child.connected) {
        reject(new MartletError('engine-died', 'the engine is no longer running', { hint: 'Start it again.' }));
        return;
      }
      waiting.set(id, { resolve, reject });
      child.send({ id, method, argument });
    });
  const stop = async (): Promise<void> => {
    asked = true;
    stopChild(child);
    await ended;
  };
  options.signal?.addEventListener('abort', () => void stop(), { once: true });
  await call('start', options.argument);
  return { call, onEvent: (listener) => listeners.push(listener), ended, pid: child.pid, [Symbol.asyncDispose]: stop };
}

function stopChild(child: ChildProcess): void {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
}

/** What the end of a process nobody asked to end most likely means. */
function diedBecause(how: {
  readonly code: number | null;
  readonly signal: string | null;
  readonly complaint: string;
}): MartletError {
  const last = how.complaint.trim().split('\n').slice(-3).join(' | ');
  if (how.signal === 'SIGKILL' || /out of memory|bad_alloc|Allocation failed/i.test(how.complaint))
    return new MartletError(
      'out-of-memory',
      `the engine was ended by ${how.signal ?? `exit ${how.code}`}: most likely memory ran out${last ? ` (${last})` : ''}`,
      {
        hint: 'Lower train.packTokens or render.lengthTokens, set execution.memoryGiB to what is free, or use a smaller model.',
        retryable: true,
      },
    );
  return new MartletError(
    'engine-died',
    `the engine ended by itself (${how.signal ?? `exit ${how.code}`})${last ? `: ${last}` : ''}`,
    {
      hint: 'Resume from the last checkpoint; report it if it happens again.',
      retryable: true,
    },
  );
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
  if (MartletError.is(error))
    return { code: error.code, message: error.message, hint: error.hint, retryable: error.retryable };
  const message = error instanceof Error ? error.message : String(error);
  if (/failed to allocate|bad_alloc|out of memory|Array buffer allocation failed/i.test(message))
    return {
      code: 'out-of-memory',
      message: `memory ran out: ${message}`,
      hint: 'Lower train.packTokens or render.lengthTokens, or set execution.memoryGiB to what is free.',
      retryable: true,
    };
  if ((error as NodeJS.ErrnoException | null)?.code === 'ENOSPC')
    return {
      code: 'disk-full',
      message: `the disk is full: ${message}`,
      hint: 'Free some space and resume; earlier checkpoints are whole.',
      retryable: true,
    };
  return {
    code: 'engine-failed',
    message: error instanceof Error ? (error.stack ?? message) : message,
    retryable: false,
  };
}
