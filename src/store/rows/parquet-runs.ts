/** A run of Parquet's hybrid of run lengths and packed bits. */
interface Run {
  readonly isPacked: boolean;
  /** Values that it says it holds. */
  readonly length: number;
  /** Where what follows its header begins. */
  readonly at: number;
}

export interface Runs {
  readonly page: Uint8Array;
  readonly start: number;
  /** Bits of a value. */
  readonly width: number;
  readonly values: number;
}

/**
 * Runs, without decoding them: a decoder that trusts them repeats a value as often as a run says, whatever the page holds. A
 * run of packed bits ends with the page, unless a value takes none.
 * @throws Error for a run of more values than there are
 */
function* runsOf({ page, start, width, values }: Runs): Generator<Run> {
  let at = start;
  for (let seen = 0; seen < values && at < page.length; ) {
    let header = 0;
    for (let scale = 1; ; scale *= 128) {
      const next = page[at++] ?? 0;
      header += (next & 0x7f) * scale;
      if (next < 0x80) break;
      if (scale > 2 ** 28) throw new Error('the length of a run has no end');
    }
    const isPacked = header % 2 === 1;
    const length = isPacked ? 8 * ((header - 1) / 2) : header / 2;
    const bytes = isPacked ? (length / 8) * width : Math.ceil(width / 8);
    // Packed bits come by eights, and writers fill them up.
    const isTooLong = isPacked && width > 0 ? bytes > page.length - at : length > values + 7;
    if (isTooLong) throw new Error(`a run says ${length} values in a page of ${values}`);
    yield { isPacked, length, at };
    seen += length;
    at += bytes;
  }
}

/** @throws as `runsOf` does */
export function checkRuns(runs: Runs): void {
  for (const _ of runsOf(runs));
}

/** How many of the values are `wanted`. */
export function countInRuns(runs: Runs, wanted: number): number {
  const { page, width, values } = runs;
  let seen = 0;
  let found = 0;
  for (const { isPacked, length, at } of runsOf(runs)) {
    const taken = Math.min(length, values - seen);
    if (!isPacked) found += bitsAt(page, { bit: at * 8, width }) === wanted ? taken : 0;
    else
      for (let index = 0; index < taken; index++)
        if (bitsAt(page, { bit: at * 8 + index * width, width }) === wanted) found++;
    seen += taken;
  }
  return found;
}

/** Up to 32 bits, the lowest first, as a number from 0. */
function bitsAt(page: Uint8Array, { bit, width }: { readonly bit: number; readonly width: number }): number {
  let value = 0;
  for (let index = 0; index < width; index++) {
    const at = bit + index;
    value += (((page[at >>> 3] ?? 0) >>> (at & 7)) & 1) * 2 ** index;
  }
  return value;
}

/**
 * Sum of the first `count` lengths of a stream of DELTA_BINARY_PACKED: blocks of differences, each packed in bits
 * (parquet-format, Encodings.md).
 * @throws Error for a stream that is cut off, or a length below 0
 */
export function sumOfLengths(page: Uint8Array, ...[start, count]: [number, number]): number {
  let at = start;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      if (at >= page.length || scale > 2 ** 28) throw new Error('a page ends inside its lengths');
      const next = page[at++] ?? 0;
      value += (next & 0x7f) * scale;
      if (next < 0x80) return value;
    }
  };
  const signed = (): number => {
    const value = varint();
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
  };
  const perBlock = varint();
  const minis = varint();
  const perMini = perBlock / minis;
  if (!Number.isInteger(perMini / 8) || perMini === 0) throw new Error('its lengths come in blocks of no size');
  varint();
  let length = signed();
  let sum = length;
  for (let seen = 1; seen < count; ) {
    const least = signed();
    const widths = page.subarray(at, at + minis);
    at += minis;
    for (let mini = 0; mini < minis && seen < count; mini++) {
      const width = widths[mini] ?? 0;
      if (width > 32 || at + (perMini / 8) * width > page.length) throw new Error('a page ends inside its lengths');
      for (let index = 0; index < perMini && seen < count; index++, seen++) {
        length += least + bitsAt(page, { bit: at * 8 + index * width, width });
        if (length < 0) throw new Error('a length is below 0');
        sum += length;
      }
      at += (perMini / 8) * width;
    }
  }
  return count === 0 ? 0 : sum;
}
