/** A failure of the machine, not of the program: what it means and what mends it. */
export interface SystemFailure {
  readonly code: 'disk-full' | 'file-too-large' | 'disk-failed' | 'out-of-memory';
  readonly message: string;
  readonly hint: string;
  /** Whether the same call may succeed once the machine is mended. */
  readonly retryable: true;
}

type Cause = Pick<SystemFailure, 'code' | 'hint'> & { readonly says: string };

/** What to say and do when memory ran out. */
export const memoryRanOut: Cause = {
  code: 'out-of-memory',
  says: 'memory ran out',
  hint: 'Free some memory and run it again: it goes on from the last checkpoint. Where it never fits, lower train.packTokens or render.lengthTokens, or use a smaller model; that begins a new run.',
};
const diskFull: Cause = {
  code: 'disk-full',
  says: 'the disk is full',
  hint: 'Free some space and run it again: it goes on from the last checkpoint.',
};
const fileTooLarge: Cause = {
  code: 'file-too-large',
  says: 'a file may not grow that large here',
  hint: 'Raise the limit on file size (ulimit -f) or take a file system that holds larger files, and run it again.',
};
const diskFailed: Cause = {
  code: 'disk-failed',
  says: 'the disk cannot be written',
  hint: 'Look after the disk (dmesg tells more), or take another store with --store.',
};

const bySystemCode: Readonly<Record<string, Cause>> = {
  ENOSPC: diskFull,
  EDQUOT: diskFull,
  EFBIG: fileTooLarge,
  EIO: diskFailed,
  EROFS: diskFailed,
  ENOMEM: memoryRanOut,
};

/** How Node, V8, C++ and ONNX Runtime say that memory ran out. */
const memoryWords =
  /bad_?alloc|bad allocation|out of memory|process OOM|failed to allocate|allocation failed|cannot allocate memory|array length exceeds|failed to map segment from shared object(?!: operation)/i;

/** Whether a text that a process left behind speaks of memory. */
export function speaksOfMemory(text: string): boolean {
  return memoryWords.test(text);
}

/** What of the machine stands behind an error, or behind the cause of it; undefined when it is something else. */
export function systemFailure(error: unknown): SystemFailure | undefined {
  for (const each of chainOf(error, 5)) {
    const cause = causeOf(each);
    if (cause)
      return { code: cause.code, message: `${cause.says}: ${each.message}`, hint: cause.hint, retryable: true };
  }
  return undefined;
}

/** An error and what it stands for: its causes, and both halves of one that came while another was being cleaned up after. */
function* chainOf(error: unknown, depth: number): Generator<Error> {
  if (!(error instanceof Error) || depth === 0) return;
  if (error.name === 'SuppressedError') {
    const { suppressed, error: later } = error as Error & { readonly suppressed?: unknown; readonly error?: unknown };
    yield* chainOf(suppressed, depth - 1);
    yield* chainOf(later, depth - 1);
    return;
  }
  yield error;
  yield* chainOf(error.cause, depth - 1);
}

function causeOf(error: Error): Cause | undefined {
  const known = 'code' in error ? bySystemCode[String(error.code)] : undefined;
  return known ?? (speaksOfMemory(error.message) ? memoryRanOut : undefined);
}
