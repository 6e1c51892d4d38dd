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
  hint: 'Lower train.packTokens or render.lengthTokens, set execution.memoryGiB to what is free, or use a smaller model; then run it again: it goes on from the last checkpoint.',
};
const diskFull: Cause = {
  code: 'disk-full',
  says: 'the disk is full',
  hint: 'Free some space, or lower train.keepCheckpoints, and run it again: it goes on from the last checkpoint.',
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
  /bad_?alloc|bad allocation|out of memory|failed to allocate|allocation failed|cannot allocate memory|array length exceeds/i;

/** Whether a text that a process left behind speaks of memory. */
export function speaksOfMemory(text: string): boolean {
  return memoryWords.test(text);
}

/** What of the machine stands behind an error, or behind the cause of it; undefined when it is something else. */
export function systemFailure(error: unknown): SystemFailure | undefined {
  for (let each: unknown = error, depth = 0; each instanceof Error && depth < 5; each = each.cause, depth++) {
    const cause = causeOf(each);
    if (cause)
      return { code: cause.code, message: `${cause.says}: ${each.message}`, hint: cause.hint, retryable: true };
  }
  return undefined;
}

function causeOf(error: Error): Cause | undefined {
  const known = 'code' in error ? bySystemCode[String(error.code)] : undefined;
  return known ?? (speaksOfMemory(error.message) ? memoryRanOut : undefined);
}
