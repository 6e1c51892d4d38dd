import { MartletError } from '../core/error.ts';
import { formatBytes } from '../core/units.ts';

/** Rounded up, so that it is enough. */
const gibAbove = (bytes: number): number => Math.ceil((bytes / 2 ** 30) * 1e4) / 1e4;

/** What cannot be done within `execution.diskGiB`, and what would do. */
export function diskBudget(request: {
  /** Such as `the largest file takes 3 GB`. */
  readonly needs: string;
  /** The budget. */
  readonly bytes: number;
  /** A budget that would be enough for this. */
  readonly enough: number;
  /** Another way out, as the end of a sentence. */
  readonly or?: string;
}): MartletError {
  const { needs, bytes, enough, or } = request;
  return new MartletError('disk-budget', `${needs}; execution.diskGiB allows ${formatBytes(bytes)} in all`, {
    hint: `Raise execution.diskGiB to ${gibAbove(enough)}${or ? `, or ${or}` : ''}.`,
  });
}
