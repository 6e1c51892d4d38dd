import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface RunOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly input?: string;
  /** Called with each line of either stream as it comes. */
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface RunResult {
  /** The exit code; null when a signal ended it, -1 when it could not be started. */
  readonly code: number | null;
  readonly stdout: string;
  /** The last 200 lines of both streams, for a message. */
  readonly said: string;
}

/**
 * Runs a program to its end. A program that is missing or fails is a result; only an abort is thrown.
 */
export async function runProcess(options: RunOptions): Promise<RunResult> {
  options.signal?.throwIfAborted();
  const child = spawn(options.command, options.args, {
    cwd: options.cwd,
    env: { ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const stop = (): void => void child.kill('SIGTERM');
  options.signal?.addEventListener('abort', stop, { once: true });
  const stdout: string[] = [];
  const said: string[] = [];
  const listen = (stream: NodeJS.ReadableStream, isResult: boolean): Promise<void> =>
    new Promise((resolve) => {
      createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })
        .on('line', (line) => {
          if (isResult) stdout.push(line);
          said.push(line);
          if (said.length > 200) said.shift();
          options.onLine?.(line);
        })
        .on('close', resolve);
    });
  const streams = Promise.all([listen(child.stdout, true), listen(child.stderr, false)]);
  // A program that ends without reading its input closes the pipe; its exit code tells what happened.
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  const code = await new Promise<number | null>((resolve) => {
    child.on('error', (error) => {
      said.push(error.message);
      resolve(-1);
    });
    child.on('exit', resolve);
  });
  if (code !== -1) await streams;
  options.signal?.removeEventListener('abort', stop);
  options.signal?.throwIfAborted();
  return { code, stdout: stdout.join('\n'), said: said.join('\n') };
}
