import { invariant } from '../core/error.ts';
import type { Packing } from '../schema/recipe.ts';

/** Best-fit sees so many rows at once: memory stays bounded, and what a larger window saves is under a thousandth. */
const windowRows = 2 ** 16;

/**
 * The rows of a step in packs of at most `capacity` tokens; a larger row gets a pack of its own. Every index of `sizes`
 * comes exactly once, and the result is a function of the sizes.
 * @param sizes in tokens
 */
export function packRows(
  sizes: readonly number[],
  { capacity, packing }: { readonly capacity: number; readonly packing: Packing },
): number[][] {
  if (packing === 'none') return sizes.map((_, index) => [index]);
  if (packing === 'sequential') return packSequential(sizes, capacity);
  if (sizes.length <= windowRows) return packEvenly(sizes, capacity);
  const packs: number[][] = [];
  for (let first = 0; first < sizes.length; first += windowRows)
    for (const pack of packBestFit(sizes.slice(first, first + windowRows), capacity))
      packs.push(pack.map((index) => first + index));
  return packs;
}

/** Up to so many packs are evened out: among more, one that is nearly empty weighs little. */
const evenedPacks = 64;

/**
 * Best fit into the lowest capacity that takes no more packs than the whole one: three packs of 375 tokens instead of 512,
 * 512 and 101. Each pack costs the engine something of its own, and the largest one decides its memory.
 */
export function packEvenly(sizes: readonly number[], capacity: number): number[][] {
  let best = packBestFit(sizes, capacity);
  const fewest = best.length;
  if (fewest > evenedPacks) return best;
  let low = Math.ceil(sizes.reduce((total, size) => total + size, 0) / fewest);
  let high = capacity;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const packs = packBestFit(sizes, middle);
    if (packs.length > fewest) {
      low = middle + 1;
      continue;
    }
    best = packs;
    high = middle;
  }
  return best;
}

/** In their order, a new pack where the next one no longer fits. */
export function packSequential(sizes: readonly number[], capacity: number): number[][] {
  invariant(capacity > 0, `packs of ${capacity} tokens`);
  const packs: number[][] = [];
  let room = 0;
  for (const [index, size] of sizes.entries()) {
    const last = packs.at(-1);
    if (last && size <= room) last.push(index);
    else {
      packs.push([index]);
      room = capacity;
    }
    room -= size;
  }
  return packs;
}

/**
 * Best-fit decreasing: the largest item first, each into the fullest pack that still has room. At most 11/9 of the fewest
 * packs possible, plus 4 (Johnson, 1974). An item larger than a pack gets one of its own.
 * @param sizes in tokens; equal sizes keep their order, so the result is a function of the sizes.
 * @returns the indices of `sizes` by pack.
 */
export function packBestFit(sizes: readonly number[], capacity: number): number[][] {
  invariant(capacity > 0, `packs of ${capacity} tokens`);
  const packs: number[][] = [];
  /** Packs by the room they have left. */
  const byRoom: number[][][] = [];
  const rooms = roomSet(capacity);
  for (const index of decreasing(sizes)) {
    const size = sizes[index] ?? 0;
    const room = rooms.smallestFrom(size);
    const pack = room === -1 ? undefined : byRoom[room]?.pop();
    if (room !== -1 && byRoom[room]?.length === 0) rooms.remove(room);
    const grown = pack ?? [];
    if (!pack) packs.push(grown);
    grown.push(index);
    const left = (pack ? room : capacity) - size;
    if (left <= 0) continue;
    byRoom[left] ??= [];
    byRoom[left].push(grown);
    rooms.add(left);
  }
  return packs;
}

function decreasing(sizes: readonly number[]): Uint32Array {
  return Uint32Array.from(sizes.keys()).sort((a, b) => (sizes[b] ?? 0) - (sizes[a] ?? 0) || a - b);
}

/**
 * Whole numbers up to `most`, as bits in a tree of 32 ways, so that the smallest one from a bound on is found in a few
 * words whatever the capacity.
 */
function roomSet(most: number) {
  const levels: Uint32Array[] = [];
  for (let bits = most + 1; ; bits = Math.ceil(bits / 32)) {
    levels.push(new Uint32Array(Math.ceil(bits / 32)));
    if (bits <= 32) break;
  }
  const bitAt = (level: number, from: number): number => {
    const words = levels[level];
    const word = from >>> 5;
    if (!words || word >= words.length) return -1;
    const here = ((words[word] ?? 0) >>> (from & 31)) << (from & 31);
    if (here !== 0) return word * 32 + lowestBit(here);
    const next = bitAt(level + 1, word + 1);
    return next === -1 ? -1 : next * 32 + lowestBit(words[next] ?? 0);
  };
  return {
    smallestFrom: (from: number): number => (from > most ? -1 : bitAt(0, from)),
    add(value: number): void {
      let at = value;
      for (const words of levels) {
        words[at >>> 5] = (words[at >>> 5] ?? 0) | (1 << (at & 31));
        at >>>= 5;
      }
    },
    remove(value: number): void {
      let at = value;
      for (const words of levels) {
        const rest = (words[at >>> 5] ?? 0) & ~(1 << (at & 31));
        words[at >>> 5] = rest;
        if (rest !== 0) return;
        at >>>= 5;
      }
    },
  };
}

const lowestBit = (word: number): number => 31 - Math.clz32(word & -word);
