import { MartletError } from './error.ts';

/** What ends because it was asked to, on the way: `message` says what is kept, `next` how to go on. */
export function stoppedError(
  message: string,
  options: { readonly next: string; readonly cause?: unknown },
): MartletError {
  return new MartletError('stopped', message, { hint: options.next, cause: options.cause, retryable: true });
}

/** Of errors that tell of the asking alone, once it was asked: an engine that was ended, a request that was left. */
const askedCodes = ['stopped', 'aborted', 'engine-stopped'];

/** Whether an error tells of nothing but that `signal` was aborted: then nothing went wrong. */
export function tellsOfStop(error: unknown, signal: AbortSignal | undefined): boolean {
  if (!signal?.aborted) return false;
  if (MartletError.is(error)) return askedCodes.includes(error.code);
  return error instanceof Error && (error.name === 'AbortError' || error === signal.reason);
}
