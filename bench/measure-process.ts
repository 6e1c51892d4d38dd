import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

export interface MeasuredProcess {
  /** Each JSON line of standard output, with when it came. */
  readonly lines: readonly { readonly value: Record<string, unknown>; readonly atMs: number }[];
  readonly startedMs: number;
  readonly seconds: number;
  /** Highest sum of resident memory over the process and its descendants, sampled ten times a second. Linux only. */
  readonly peakMemoryGiB: number | null;
}

export interface MeasureOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Called with each JSON line; `stop` ends a program that would not end by itself, which is then no failure. */
  readonly onLine?: (value: Record<string, unknown>, stop: () => void) => void;
}

/**
 * Runs a program from its command to its end, and watches the memory of its whole process tree.
 * @throws Error with the last lines it said when it fails.
 */
export async function measureProcess(options: MeasureOptions): Promise<MeasuredProcess> {
  const startedMs = Date.now();
  const child = spawn(options.command, options.args, {
    cwd: options.cwd,
    env: { ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let peakBytes = 0;
  const sampling = setInterval(() => {
    if (child.pid !== undefined) peakBytes = Math.max(peakBytes, treeMemoryBytes(child.pid));
  }, 100);
  // Whoever ends the bench ends what it runs: a trainer left behind would slow every later run.
  const endWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', endWithUs);
  let isStopped = false;
  const stop = (): void => {
    isStopped = true;
    child.kill('SIGTERM');
  };
  const lines: { value: Record<string, unknown>; atMs: number }[] = [];
  const said: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (!line.startsWith('{')) return;
    const value = JSON.parse(line) as Record<string, unknown>;
    lines.push({ value, atMs: Date.now() });
    options.onLine?.(value, stop);
  });
  createInterface({ input: child.stderr }).on('line', (line) => {
    said.push(line);
    if (said.length > 20) said.shift();
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  }).finally(() => {
    clearInterval(sampling);
    process.off('exit', endWithUs);
  });
  if (code !== 0 && !isStopped)
    throw new Error(`${options.command} ${options.args.join(' ')} ended with ${code}:\n${said.join('\n')}`);
  const peakMemoryGiB = peakBytes > 0 ? peakBytes / 1024 ** 3 : null;
  return { lines, startedMs, seconds: (Date.now() - startedMs) / 1000, peakMemoryGiB };
}

const pageBytes = 4096;

/** Resident memory of a process and all its descendants, from /proc; 0 where there is none. */
export function treeMemoryBytes(root: number): number {
  const children = new Map<number, number[]>();
  let entries: string[];
  try {
    entries = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return 0;
  }
  for (const pid of entries) {
    // The command name stands in parentheses and may hold spaces; the parent is the second field after it.
    const parent = Number(readProc(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ')[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(pid)]);
  }
  const residentBytes = (pid: number): number =>
    Number(readProc(`/proc/${pid}/statm`).split(' ')[1] || 0) * pageBytes +
    (children.get(pid) ?? []).reduce((sum, child) => sum + residentBytes(child), 0);
  return residentBytes(root);
}

/** A process may end between being listed and being read. */
function readProc(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
