import { expandToFloat32, halfToNumber, numberToHalf } from './float16.ts';

/** Numbers and bytes of one block. A row of a tensor is a whole number of blocks. */
export const blockSizes = {
  F32: [1, 4],
  F16: [1, 2],
  BF16: [1, 2],
  Q4_0: [32, 18],
  Q4_1: [32, 20],
  Q5_0: [32, 22],
  Q5_1: [32, 24],
  Q8_0: [32, 34],
  Q4_K: [256, 144],
  Q5_K: [256, 176],
  Q6_K: [256, 210],
} as const;

export type GgufType = keyof typeof blockSizes;

/** ggml's own numbers of its types. */
export const typeCodes: Readonly<Record<GgufType, number>> = {
  F32: 0,
  F16: 1,
  Q4_0: 2,
  Q4_1: 3,
  Q5_0: 6,
  Q5_1: 7,
  Q8_0: 8,
  Q4_K: 12,
  Q5_K: 13,
  Q6_K: 14,
  BF16: 30,
};

export function ggufTypeOf(code: number): GgufType | undefined {
  return (Object.keys(typeCodes) as GgufType[]).find((type) => typeCodes[type] === code);
}

/**
 * Widens blocks to single precision, bit for bit as ggml's reference does: every product and sum is rounded to single
 * precision before the next.
 * @param bytes whole blocks
 * @param into as many numbers as they hold
 */
export function dequantize(type: GgufType, bytes: Uint8Array, into: Float32Array): void {
  if (type === 'F32') new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(bytes);
  else if (type === 'F16' || type === 'BF16') {
    const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
    expandToFloat32(new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.length / 2), into, type);
  } else {
    const [size, blockBytes] = blockSizes[type];
    const widen = blockReaders[type];
    for (let at = 0, out = 0; at < bytes.length; at += blockBytes, out += size) widen(bytes, at, into, out);
  }
}

/** Reads the block at `at` of `bytes` into `into` from `out` on. Positional, as it runs once for every 32 numbers. */
type BlockReader = (bytes: Uint8Array, at: number, into: Float32Array, out: number) => void;

const { fround } = Math;
const half = (bytes: Uint8Array, at: number): number =>
  halfToNumber((bytes[at] as number) | ((bytes[at + 1] as number) << 8));
const signed = (byte: number): number => (byte << 24) >> 24;

/** Blocks of 32: scale, perhaps a minimum, perhaps a fifth bit of each, then the low and high nibbles of 16 bytes. */
function nibbles(options: {
  readonly minimum: boolean;
  readonly fifthBit: boolean;
  readonly zero: number;
}): BlockReader {
  const { minimum, fifthBit, zero } = options;
  const bitsAt = minimum ? 4 : 2;
  const nibblesAt = bitsAt + (fifthBit ? 4 : 0);
  return (bytes, at, into, out) => {
    const scale = half(bytes, at);
    const least = minimum ? half(bytes, at + 2) : 0;
    for (let i = 0; i < 32; i++) {
      const byte = bytes[at + nibblesAt + (i & 15)] as number;
      const low = i < 16 ? byte & 15 : byte >> 4;
      const high = fifthBit ? (((bytes[at + bitsAt + (i >> 3)] as number) >> (i & 7)) & 1) << 4 : 0;
      const product = fround(scale * ((low | high) - zero));
      into[out + i] = minimum ? product + least : product;
    }
  };
}

/** K-quants: 8 scales and 8 minima of 6 bits each in 12 bytes; the last four of each are spread over two bytes. */
function sixBits(bytes: Uint8Array, at: number, index: number): readonly [scale: number, minimum: number] {
  const j = index & 3;
  const scale = bytes[at + j] as number;
  const minimum = bytes[at + 4 + j] as number;
  if (index < 4) return [scale & 63, minimum & 63];
  const both = bytes[at + 8 + j] as number;
  return [(both & 15) | ((scale >> 2) & 48), (both >> 4) | ((minimum >> 2) & 48)];
}

/** Blocks of 256 in 8 groups of 32: two half scales, 12 bytes of group scales, perhaps fifth bits, nibbles. */
function kNibbles(fifthBit: boolean): BlockReader {
  const nibblesAt = 16 + (fifthBit ? 32 : 0);
  return (bytes, at, into, out) => {
    const blockScale = half(bytes, at);
    const blockMinimum = half(bytes, at + 2);
    for (let group = 0; group < 8; group++) {
      const [six, sixMinimum] = sixBits(bytes, at + 4, group);
      const scale = fround(blockScale * six);
      const least = fround(blockMinimum * sixMinimum);
      const from = at + nibblesAt + (group >> 1) * 32;
      const shift = (group & 1) * 4;
      for (let i = 0; i < 32; i++) {
        const low = ((bytes[from + i] as number) >> shift) & 15;
        const high = fifthBit ? (((bytes[at + 16 + i] as number) >> group) & 1) << 4 : 0;
        into[out + group * 32 + i] = fround(scale * (low | high)) - least;
      }
    }
  };
}

const blockReaders: Readonly<Record<Exclude<GgufType, 'F32' | 'F16' | 'BF16'>, BlockReader>> = {
  Q4_0: nibbles({ minimum: false, fifthBit: false, zero: 8 }),
  Q4_1: nibbles({ minimum: true, fifthBit: false, zero: 0 }),
  Q5_0: nibbles({ minimum: false, fifthBit: true, zero: 16 }),
  Q5_1: nibbles({ minimum: true, fifthBit: true, zero: 0 }),
  Q8_0: (bytes, at, into, out) => {
    const scale = half(bytes, at);
    for (let i = 0; i < 32; i++) into[out + i] = signed(bytes[at + 2 + i] as number) * scale;
  },
  Q4_K: kNibbles(false),
  Q5_K: kNibbles(true),
  // 128 bytes of low nibbles, 64 of upper bit pairs, 16 signed scales for 16 numbers each, one half scale.
  Q6_K: (bytes, at, into, out) => {
    const blockScale = half(bytes, at + 208);
    for (let i = 0; i < 256; i++) {
      const [part, quarter, lane] = [i >> 7, (i >> 5) & 3, i & 31];
      const low = ((bytes[at + part * 64 + (quarter & 1) * 32 + lane] as number) >> (quarter & 2 ? 4 : 0)) & 15;
      const high = ((bytes[at + 128 + part * 32 + lane] as number) >> (quarter * 2)) & 3;
      const scale = fround(blockScale * signed(bytes[at + 192 + (i >> 4)] as number));
      into[out + i] = scale * ((low | (high << 4)) - 32);
    }
  },
};

/** Packs rows into blocks of 32 signed bytes and a half scale, as ggml's reference does (ties away from zero). */
export function quantizeQ8(from: Float32Array): Uint8Array {
  const bytes = new Uint8Array((from.length / 32) * 34);
  const view = new DataView(bytes.buffer);
  for (let at = 0, block = 0; block < from.length; at += 34, block += 32) {
    let largest = 0;
    for (let i = 0; i < 32; i++) largest = Math.max(largest, Math.abs(from[block + i] as number));
    const scale = fround(largest / 127);
    const inverse = scale === 0 ? 0 : fround(1 / scale);
    view.setUint16(at, numberToHalf(scale), true);
    for (let i = 0; i < 32; i++) {
      const value = fround((from[block + i] as number) * inverse);
      view.setInt8(at + 2 + i, Math.sign(value) * Math.floor(Math.abs(value) + 0.5));
    }
  }
  return bytes;
}
