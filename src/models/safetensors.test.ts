import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { halfToNumber, numberToBfloat16, numberToHalf } from './float16.ts';
import { openSafetensors, type TensorSource, writeSafetensors } from './safetensors.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'martlet-safetensors-'));
});
afterAll(() => rm(folder, { recursive: true }));

const tensors: TensorSource[] = [
  { name: 'b', dtype: 'F32', shape: [2, 2], data: new Float32Array([1, -2.5, 3e-40, 4]) },
  { name: 'a', dtype: 'BF16', shape: [3], data: new Uint16Array([0x3f80, 0xc020, 0x7f80]) },
  { name: 'h', dtype: 'F16', shape: [2, 1], data: new Uint16Array([0x3c00, 0x0001]) },
  { name: 'e', dtype: 'I64', shape: [0], data: new BigInt64Array(0) },
  { name: 's', dtype: 'U8', shape: [], data: new Uint8Array([7]) },
];

describe('safetensors', () => {
  it('reads back what it wrote, widening 16-bit floats', async () => {
    const file = join(folder, 'round.safetensors');
    await writeSafetensors(file, tensors, { format: 'pt' });
    await using weights = await openSafetensors(file);
    expect([...weights.names].sort()).toEqual(['a', 'b', 'e', 'h', 's']);
    expect(weights.metadata).toEqual({ format: 'pt' });
    expect(weights.info('b')).toEqual({ dtype: 'F32', shape: [2, 2], bytes: 16 });
    expect(await weights.readFloat32('b')).toEqual(new Float32Array([1, -2.5, 3e-40, 4]));
    expect(await weights.readFloat32('a')).toEqual(new Float32Array([1, -2.5, Number.POSITIVE_INFINITY]));
    const into = new Float32Array(4);
    await weights.readFloat32('h', into.subarray(1, 3));
    expect(into).toEqual(new Float32Array([0, 1, 2 ** -24, 0]));
    expect(await weights.readBytes('s')).toEqual(new Uint8Array([7]));
    expect(() => weights.info('c')).toThrow('no tensor "c"');
    await expect(weights.readFloat32('s')).rejects.toThrow('U8');
  });

  it('lays the file out as the reference implementation does', async () => {
    const file = join(folder, 'layout.safetensors');
    await writeSafetensors(file, tensors);
    const bytes = await readFile(file);
    const length = Number(bytes.readBigUInt64LE());
    expect((8 + length) % 8).toBe(0);
    expect(
      bytes
        .subarray(8, 8 + length)
        .toString()
        .trimEnd(),
    ).toBe(
      '{"e":{"dtype":"I64","shape":[0],"data_offsets":[0,0]},"b":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},' +
        '"a":{"dtype":"BF16","shape":[3],"data_offsets":[16,22]},"h":{"dtype":"F16","shape":[2,1],"data_offsets":[22,26]},' +
        '"s":{"dtype":"U8","shape":[],"data_offsets":[26,27]}}',
    );
  });

  it('leaves nothing under the final name when a tensor fails', async () => {
    const file = join(folder, 'failed.safetensors');
    const data = async function* () {
      yield new Uint8Array(4);
      throw new Error('the disk is full');
    };
    await expect(writeSafetensors(file, [{ name: 'x', dtype: 'F32', shape: [2], data }])).rejects.toThrow(
      'disk is full',
    );
    expect((await readdir(folder)).filter((name) => name.startsWith('failed'))).toEqual([]);
  });

  it('streams a tensor in order and reads shards through the index', async () => {
    const sharded = join(folder, 'sharded');
    await mkdir(sharded);
    const large = Float32Array.from({ length: 3_000_000 }, (_, index) => index);
    await writeSafetensors(join(sharded, 'm-1.safetensors'), [
      { name: 'x', dtype: 'F32', shape: [3_000_000], data: large },
    ]);
    await writeSafetensors(join(sharded, 'm-2.safetensors'), tensors);
    const index = join(sharded, 'model.safetensors.index.json');
    await writeFile(index, JSON.stringify({ weight_map: { x: 'm-1.safetensors', b: 'm-2.safetensors' } }));
    await using weights = await openSafetensors(sharded);
    expect(weights.names).toEqual(['x', 'b']);
    const chunks: Uint8Array[] = [];
    for await (const chunk of weights.stream('x')) chunks.push(chunk);
    expect(chunks.length).toBeGreaterThan(1);
    expect(Buffer.concat(chunks).equals(Buffer.from(large.buffer))).toBe(true);

    await writeFile(index, JSON.stringify({ weight_map: { y: 'm-1.safetensors' } }));
    await expect(openSafetensors(sharded)).rejects.toThrow('puts "y" into m-1.safetensors');
    await writeFile(index, JSON.stringify({ weight_map: { x: '../layout.safetensors' } }));
    await expect(openSafetensors(sharded)).rejects.toThrow('no file beside it');
  });

  const entry = (dtype: string, shape: unknown, offsets: unknown) => ({ dtype, shape, data_offsets: offsets });
  const hostile: [string, string | { header: string; data?: number; length?: number }, RegExp][] = [
    ['a lying length', { header: '{}', length: 2 ** 40 }, /claims a header of 1099511627776 bytes/],
    ['no JSON', '{"a":', /not JSON/],
    ['an array', '[]', /does not start/],
    ['overlap', JSON.stringify({ a: entry('U8', [4], [0, 4]), b: entry('U8', [4], [3, 7]) }), /overlaps/],
    ['a gap', JSON.stringify({ a: entry('U8', [4], [0, 4]), b: entry('U8', [3], [5, 8]) }), /belong to none/],
    ['bytes left over', JSON.stringify({ a: entry('U8', [4], [0, 4]) }), /take 4 bytes and the file holds 8/],
    ['out of the file', JSON.stringify({ a: entry('U8', [9], [0, 9]) }), /outside the 8 bytes/],
    ['a size that overflows', JSON.stringify({ a: entry('F32', [2 ** 52, 2 ** 52], [0, 8]) }), /takes/],
    ['a negative size', JSON.stringify({ a: entry('U8', [-8], [0, 8]) }), /shape/],
    ['a fraction', JSON.stringify({ a: entry('U8', [8], [0.5, 8]) }), /two positions/],
    ['an unknown dtype', JSON.stringify({ a: entry('constructor', [8], [0, 8]) }), /dtype "constructor"/],
    ['too many dimensions', JSON.stringify({ a: entry('U8', Array(65).fill(1), [0, 1]) }), /shape/],
    [
      'a name that stands twice',
      '{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"\\u0061":{}}',
      /"a" stands twice/,
    ],
    ['deep nesting', `{"a":${'['.repeat(100_000)}`, /nested deeper/],
    ['numbers as metadata', JSON.stringify({ __metadata__: { a: 1 } }), /object of strings/],
    ['an unknown member', JSON.stringify({ a: { ...entry('U8', [8], [0, 8]), url: 'x' } }), /unknown member "url"/],
    ['text that is not UTF-8', { header: '{"\u00ff":1}' }, /not JSON in UTF-8/],
  ];
  it.each(hostile)('refuses %s', async (_, made, message) => {
    const { header, data = 8, length } = typeof made === 'string' ? { header: made } : made;
    const bytes = Buffer.from(header, 'latin1');
    const start = Buffer.alloc(8);
    start.writeBigUInt64LE(BigInt(length ?? bytes.length));
    const file = join(folder, 'hostile.safetensors');
    await writeFile(file, Buffer.concat([start, bytes, Buffer.alloc(data)]));
    await expect(openSafetensors(file)).rejects.toThrow(message);
  });

  it('says what is missing', async () => {
    await expect(openSafetensors(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'weights-missing' });
  });
});

describe('16-bit floats', () => {
  it('keep every half through a round trip', () => {
    const wrong: number[] = [];
    for (let bits = 0; bits < 65536; bits++) {
      const value = halfToNumber(bits);
      if (!Number.isNaN(value) && numberToHalf(value) !== bits) wrong.push(bits);
    }
    expect(wrong).toEqual([]);
    expect(halfToNumber(numberToHalf(Number.NaN))).toBeNaN();
  });
  it('round to nearest, ties to even', () => {
    expect(numberToHalf(1 + 2 ** -11)).toBe(0x3c00);
    expect(numberToHalf(1 + 3 * 2 ** -11)).toBe(0x3c02);
    expect(numberToHalf(65519)).toBe(0x7bff);
    expect(numberToHalf(65520)).toBe(0x7c00);
    expect(numberToHalf(-(2 ** -25))).toBe(0x8000);
    expect(numberToHalf(3 * 2 ** -26)).toBe(1);
    expect(numberToBfloat16(1 + 2 ** -8)).toBe(0x3f80);
    expect(numberToBfloat16(1 + 3 * 2 ** -8)).toBe(0x3f82);
    expect(numberToBfloat16(-3.4e38)).toBe(0xff80);
  });
});
