import { MartletError } from '../../core/error.ts';
import { formatBytes, gibAbove } from '../../core/units.ts';

/** How sources are read within `execution.diskGiB`: files of hubs are lent. Null: the corpus is kept whole. */
export const readingWithin = (diskGiB: number | null): { readonly lendWithin?: number } =>
  diskGiB === null ? {} : { lendWithin: diskGiB * 2 ** 30 };

/** What files of hubs may take that are fetched when they are read; those that must stand there at once may take more. */
export const lendingShare = (diskBytes: number): number => Math.floor(diskBytes / 4);

/** Files of hubs that a dataset is read from. */
export interface FetchedBytes {
  /** The largest of each data set, together: they may have to stand there at once. */
  readonly largest: number;
  readonly total: number;
}

/** What they take at most. */
export const fetchedRoom = (diskBytes: number, { largest, total }: FetchedBytes): number =>
  Math.min(total, Math.max(largest, lendingShare(diskBytes)));

/** The least budget that has room for so much beside them. */
export const budgetFor = (bytes: number, { largest, total }: FetchedBytes): number =>
  bytes + Math.min(total, Math.max(largest, bytes / 3));

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
