import { invariant } from '../core/error.ts';
import { blockSizes, type GgufType, typeCodes } from './gguf-quant.ts';
import { writeWhole } from './whole-file.ts';

/** A value with the type it is written as; lists of strings, 32-bit integers and single-precision numbers. */
export type TypedValue =
  | { readonly type: 'u32' | 'f32'; readonly value: number }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'strings'; readonly value: readonly string[] }
  | { readonly type: 'i32s' | 'f32s'; readonly value: readonly number[] };

export interface GgufSource {
  readonly name: string;
  readonly type: GgufType;
  /** The slowest dimension first. */
  readonly shape: readonly number[];
  /** Called when its turn comes. */
  readonly data: () => Promise<Uint8Array>;
}

const alignment = 32;
const codes = { u32: 4, i32s: 5, f32: 6, f32s: 6, bool: 7, string: 8, strings: 8 } as const;
const arrayCode = 9;

/** Writes a GGUF, version 3, that appears whole or not at all. */
export async function writeGguf(
  file: string,
  metadata: ReadonlyMap<string, TypedValue>,
  tensors: readonly GgufSource[],
): Promise<void> {
  const parts: Buffer[] = [];
  const u32 = (value: number): void => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    parts.push(bytes);
  };
  const u64 = (value: number): void => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    parts.push(bytes);
  };
  const string = (text: string): void => {
    const bytes = Buffer.from(text);
    u64(bytes.length);
    parts.push(bytes);
  };

  parts.push(Buffer.from('GGUF'));
  u32(3);
  u64(tensors.length);
  u64(metadata.size);
  for (const [key, entry] of metadata) {
    string(key);
    if (Array.isArray(entry.value)) {
      u32(arrayCode);
      u32(codes[entry.type]);
      u64(entry.value.length);
    } else u32(codes[entry.type]);
    if (entry.type === 'u32') u32(entry.value);
    else if (entry.type === 'bool') parts.push(Buffer.from([entry.value ? 1 : 0]));
    else if (entry.type === 'string') string(entry.value);
    else if (entry.type === 'strings') for (const text of entry.value) string(text);
    else if (entry.type === 'i32s') parts.push(Buffer.from(Int32Array.from(entry.value).buffer));
    else parts.push(Buffer.from(Float32Array.from([entry.value].flat()).buffer));
  }
  let offset = 0;
  for (const tensor of tensors) {
    string(tensor.name);
    u32(tensor.shape.length);
    for (const size of tensor.shape.toReversed()) u64(size);
    u32(typeCodes[tensor.type]);
    u64(offset);
    offset += padded(sizeOf(tensor));
  }
  const header = Buffer.concat(parts);
  await writeWhole(file, async (append) => {
    await append(header);
    await append(new Uint8Array(padded(header.length) - header.length));
    for (const tensor of tensors) {
      const bytes = await tensor.data();
      invariant(
        bytes.length === sizeOf(tensor),
        `${tensor.name} takes ${sizeOf(tensor)} bytes and got ${bytes.length}`,
      );
      await append(bytes);
      await append(new Uint8Array(padded(bytes.length) - bytes.length));
    }
  });
}

function sizeOf({ shape, type }: GgufSource): number {
  const [block, bytes] = blockSizes[type];
  return (shape.reduce((product, size) => product * size, 1) / block) * bytes;
}

function padded(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}
