import { expect, test } from 'vitest';
import { unpackLz4Block } from './lz4-block.ts';

const block = (...bytes: readonly (number | string)[]): Uint8Array =>
  Buffer.concat(bytes.map((each) => (typeof each === 'string' ? Buffer.from(each) : Buffer.of(each))));
const unpacked = (input: Uint8Array, length: number): string => Buffer.from(unpackLz4Block(input, length)).toString();

test('literals, copies that run into what they write, and lengths beyond 15', () => {
  expect(unpacked(block(0x50, 'hello'), 5)).toBe('hello');
  expect(unpacked(block(0x31, 'abc', 3, 0, 0x10, '!'), 9)).toBe('abcabcab!');
  expect(unpacked(block(0x1f, 'x', 1, 0, 255, 3, 0x10, 'y'), 1 + 15 + 258 + 4 + 1)).toBe(`${'x'.repeat(278)}y`);
  expect(unpacked(block(0xf0, 5, 'twenty letters in it'), 20)).toBe('twenty letters in it');
});

test.each([
  ['ends inside its literals', block(0x50, 'hell'), 5],
  ['points in front of its beginning', block(0x11, 'a', 2, 0, 0x10, 'b'), 7],
  ['points at itself', block(0x11, 'a', 0, 0, 0x10, 'b'), 7],
  ['ends inside a length', block(0xf0, 255), 300],
  ['is longer than it should be', block(0x50, 'hello'), 4],
  ['is shorter than it should be', block(0x50, 'hello'), 6],
])('a block that %s is refused', (_, input, length) => {
  expect(() => unpackLz4Block(input, length)).toThrow(/LZ4/);
});
