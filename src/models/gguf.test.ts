import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openGguf } from './gguf.ts';
import { type TypedValue, writeGguf } from './gguf-encode.ts';
import { parseGgufHeader } from './gguf-header.ts';
import { blockSizes, dequantize, type GgufType, quantizeQ8 } from './gguf-quant.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'martlet-gguf-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** One block: header bytes as given, the rest a pattern that uses every bit. */
function block(type: GgufType, halves: readonly number[], at = 0): Uint8Array {
  const bytes = Uint8Array.from({ length: blockSizes[type][1] }, (_, i) => (i * 37 + 11) & 255);
  const view = new DataView(bytes.buffer);
  halves.forEach((half, i) => {
    view.setUint16(at + 2 * i, half, true);
  });
  return bytes;
}

function widen(type: GgufType, bytes: Uint8Array): Float32Array {
  const into = new Float32Array((bytes.length / blockSizes[type][1]) * blockSizes[type][0]);
  dequantize(type, bytes, into);
  return into;
}

describe('dequantize', () => {
  // 0x3400 is 0.25, 0xb800 is -0.5. The byte at i is (37 i + 11) mod 256; values below are computed by hand from it.
  it('Q4_0: scale x (nibble - 8)', () => {
    const values = widen('Q4_0', block('Q4_0', [0x3400]));
    // Byte 2 is 85 = 0x55, byte 17 is 640 mod 256 = 128 = 0x80.
    expect([values[0], values[16], values[15], values[31]]).toEqual([-0.75, -0.75, -2, 0]);
  });
  it('Q4_1: scale x nibble + minimum', () => {
    const values = widen('Q4_1', block('Q4_1', [0x3400, 0xb800]));
    // Byte 4 is 159 = 0x9f.
    expect([values[0], values[16]]).toEqual([0.25 * 15 - 0.5, 0.25 * 9 - 0.5]);
  });
  it('Q5_0 and Q5_1: a fifth bit for each number', () => {
    const zero = widen('Q5_0', block('Q5_0', [0x3400]));
    // Fifth bits start at byte 2 (85 = 0b01010101): number 0 has it, 1 has not. Nibbles start at byte 6: 233 = 0xe9, 14 = 0x0e.
    expect([zero[0], zero[1]]).toEqual([0.25 * (9 + 16 - 16), 0.25 * (14 - 16)]);
    const one = widen('Q5_1', block('Q5_1', [0x3400, 0xb800]));
    // Byte 4 is 159 = 0b10011111; byte 8 is 307 - 256 = 51 = 0x33.
    expect(one[0]).toBe(0.25 * (3 + 16) - 0.5);
  });
  it('Q8_0: scale x signed byte', () => {
    const values = widen('Q8_0', block('Q8_0', [0x3400]));
    expect([values[0], values[1], values[2]]).toEqual([0.25 * 85, 0.25 * 122, 0.25 * (159 - 256)]);
  });
  it('Q4_K and Q5_K: six-bit scales and minima of eight groups', () => {
    const values = widen('Q4_K', block('Q4_K', [0x3400, 0x3400]));
    // Scale of group 0: byte 4 = 159 & 63 = 31; minimum: byte 8 = 51 & 63 = 51; nibble of byte 16 = 603 - 512 = 91 = 0x5b.
    expect(values[0]).toBe(0.25 * 31 * 11 - 0.25 * 51);
    // Group 4: byte 12 = 455 - 256 = 199 = 0xc7; scale 7 | (159 >> 2 & 48) = 39, minimum 12 | (51 >> 2 & 48) = 12;
    // nibbles from byte 16 + 64 = 80: 2971 mod 256 = 155 = 0x9b.
    expect(values[128]).toBe(0.25 * 39 * 11 - 0.25 * 12);
    const fifth = widen('Q5_K', block('Q5_K', [0x3400, 0x3400]));
    // Byte 16 = 91 holds fifth bits of lane 0 (bit 0 is 1); nibbles from byte 48: 1787 mod 256 = 251 = 0xfb.
    expect(fifth[0]).toBe(0.25 * 31 * (11 + 16) - 0.25 * 51);
  });
  it('Q6_K: sixteen signed scales', () => {
    const values = widen('Q6_K', block('Q6_K', [0x3400], 208));
    // Low nibble of byte 0 (11), bits 0-1 of byte 128 (4747 mod 256 = 139: 3), scale byte 192 (7115 mod 256 = 203 - 256).
    expect(values[0]).toBe(0.25 * -53 * (11 + 48 - 32));
  });
  it('widens 16-bit floats also from odd addresses', () => {
    expect(widen('F16', new Uint8Array([0, 0, 0x3c]).subarray(1))).toEqual(new Float32Array([1]));
    expect(widen('BF16', new Uint8Array([0, 0x80, 0xbf]).subarray(1))).toEqual(new Float32Array([-1]));
  });
});

describe('quantizeQ8', () => {
  it('keeps the largest number at 127 and rounds ties away from zero', () => {
    const values = new Float32Array(32);
    values.set([127, -63.5, 0.5, -0.5, 0.49]);
    const bytes = quantizeQ8(values);
    expect([...new Int8Array(bytes.buffer, 2, 5)]).toEqual([127, -64, 1, -1, 0]);
    expect(widen('Q8_0', bytes).slice(0, 5)).toEqual(new Float32Array([127, -64, 1, -1, 0]));
    expect([...quantizeQ8(new Float32Array(32))].every((byte) => byte === 0)).toBe(true);
  });
});

describe('openGguf', () => {
  const metadata = new Map<string, TypedValue>([
    ['general.architecture', { type: 'string', value: 'llama' }],
    ['a.count', { type: 'u32', value: 7 }],
    ['a.flag', { type: 'bool', value: true }],
    ['a.words', { type: 'strings', value: ['é', ''] }],
    ['a.numbers', { type: 'i32s', value: [-1, 2] }],
    ['a.floats', { type: 'f32s', value: [0.5] }],
  ]);
  const data = async (): Promise<Uint8Array> => new Uint8Array(new Float32Array([1, 2, 3, 4, 5, 6]).buffer);

  it('reads back what was written', async () => {
    const file = join(folder, 'round.gguf');
    await writeGguf(file, metadata, [
      { name: 'x', type: 'F32', shape: [2, 3], data },
      { name: 'y', type: 'F32', shape: [6], data },
    ]);
    await using gguf = await openGguf(file);
    expect([...gguf.metadata.values()]).toEqual(['llama', 7, true, ['é', ''], [-1, 2], [0.5]]);
    expect(gguf.info('x')).toMatchObject({ type: 'F32', shape: [2, 3], length: 6 });
    expect(gguf.info('y').offset % 32).toBe(0);
    expect(await gguf.readFloat32('y')).toEqual(new Float32Array([1, 2, 3, 4, 5, 6]));
    expect(() => gguf.info('z')).toThrow('no tensor "z"');
  });

  it('refuses a file that was cut short, anywhere', async () => {
    const file = join(folder, 'cut.gguf');
    await writeGguf(file, metadata, [{ name: 'x', type: 'F32', shape: [2, 3], data }]);
    const whole = await readFile(file);
    for (let length = whole.length - 9; length >= 0; length -= 7) {
      await truncate(file, length);
      await expect(openGguf(file)).rejects.toMatchObject({ code: 'bad-gguf' });
    }
  });

  const header = (...parts: (number | bigint | string)[]): Uint8Array =>
    Buffer.concat(
      parts.map((part) => {
        const bytes = Buffer.alloc(typeof part === 'bigint' ? 8 : 4);
        if (typeof part === 'bigint') bytes.writeBigUInt64LE(part);
        else if (typeof part === 'number') bytes.writeUInt32LE(part);
        else return Buffer.from(part);
        return bytes;
      }),
    );
  const tensor = (name: string, offset: bigint, size = 8n) => [BigInt(name.length), name, 1, size, 0, offset] as const;
  const hostile: [string, Uint8Array, RegExp][] = [
    ['another magic', header('GGML', 3, 0n, 0n), /does not start with GGUF/],
    ['another version', header('GGUF', 1, 0n, 0n), /version is 1/],
    ['too many tensors', header('GGUF', 3, 2n ** 60n, 0n), /beyond 2\^53/],
    ['too many keys', header('GGUF', 3, 0n, 2n ** 40n), /claims 1099511627776 keys/],
    ['a key that is too long', header('GGUF', 3, 0n, 1n, 2n ** 20n), /bytes in a string/],
    ['an unknown type', header('GGUF', 3, 0n, 1n, 1n, 'k', 99), /unknown type 99/],
    ['arrays of arrays', header('GGUF', 3, 0n, 1n, 1n, 'k', 9, 9, 1n), /array of arrays/],
    ['an endless array', header('GGUF', 3, 0n, 1n, 1n, 'k', 9, 4, 2n ** 40n), /elements in an array/],
    ['text that is not UTF-8', header('GGUF', 3, 0n, 1n, 1n, 'k', 8, 4n, 0xffffffff), /not UTF-8/],
    ['a key that stands twice', header('GGUF', 3, 0n, 2n, 1n, 'k', 4, 1, 1n, 'k', 4, 2), /"k" stands twice/],
    ['an odd alignment', header('GGUF', 3, 0n, 1n, 17n, 'general.alignment', 4, 3), /alignment is 3/],
    ['a tensor that stands twice', header('GGUF', 3, 2n, 0n, ...tensor('t', 0n), ...tensor('t', 32n)), /stands twice/],
    ['overlap', header('GGUF', 3, 2n, 0n, ...tensor('t', 0n, 16n), ...tensor('u', 32n)), /overlaps/],
    ['a tensor out of the file', header('GGUF', 3, 1n, 0n, ...tensor('t', 4096n)), /ends at byte/],
    ['a tensor out of line', header('GGUF', 3, 1n, 0n, ...tensor('t', 4n)), /not aligned/],
    ['five dimensions', header('GGUF', 3, 1n, 0n, 1n, 't', 5), /5 dimensions/],
    ['an unknown tensor type', header('GGUF', 3, 1n, 0n, 1n, 't', 1, 8n, 77, 0n), /type 77/],
    ['half a block', header('GGUF', 3, 1n, 0n, 1n, 't', 1, 8n, 8, 0n), /whole number of blocks/],
  ];
  it.each(hostile)('refuses %s', async (_, bytes, message) => {
    const file = join(folder, 'hostile.gguf');
    await writeFile(file, Buffer.concat([bytes, Buffer.alloc(256)]));
    await expect(openGguf(file)).rejects.toThrow(message);
  });

  it('asks for more of a long header instead of refusing it', async () => {
    await mkdir(join(folder, 'long'));
    const file = join(folder, 'long', 'long.gguf');
    await writeGguf(file, metadata, []);
    const bytes = await readFile(file);
    expect(() => parseGgufHeader({ file, bytes: bytes.subarray(0, 60), fileBytes: bytes.length })).toThrow();
    expect(parseGgufHeader({ file, bytes, fileBytes: bytes.length }).metadata.size).toBe(6);
  });
});
