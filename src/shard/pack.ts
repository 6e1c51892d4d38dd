import { invariant } from '../core/error.ts';

/**
 * Best-fit decreasing: the largest item first, each into the fullest pack that still has room. At most 11/9 of the fewest
 * packs possible, plus 4 (Johnson, 1974). An item larger than a pack gets one of its own.
 * @param sizes in tokens; equal sizes keep their order, so the result is a function of the sizes.
 * @returns the indices of `sizes` by pack.
 */
export function packBestFit(sizes: readonly number[], capacity: number): number[][] {
  invariant(capacity > 0, `packs of ${capacity} tokens`);
  const order = sizes.map((_, index) => index).sort((a, b) => (sizes[b] ?? 0) - (sizes[a] ?? 0) || a - b);
  const packs: number[][] = [];
  /** Packs by the room they have left. */
  const byRoom: number[][][] = [];
  let largestRoom = 0;
  for (const index of order) {
    const size = sizes[index] ?? 0;
    let room = size;
    while (room <= largestRoom && !byRoom[room]?.length) room++;
    const pack = room <= largestRoom ? byRoom[room]?.pop() : undefined;
    if (pack) pack.push(index);
    else packs.push([index]);
    const left = (pack ? room : capacity) - size;
    if (left <= 0) continue;
    byRoom[left] ??= [];
    byRoom[left].push(pack ?? packs[packs.length - 1] ?? []);
    largestRoom = Math.max(largestRoom, left);
  }
  return packs;
}
