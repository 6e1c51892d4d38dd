import { MartletError } from '../core/error.ts';
import { blockSizes, type GgufType, ggufTypeOf } from './gguf-quant.ts';

/** Numbers of 64 bits are given as numbers; one that a number cannot hold is refused. */
export type GgufValue = string | number | boolean | readonly string[] | readonly number[] | readonly boolean[];

export interface GgufTensor {
  readonly name: string;
  readonly type: GgufType;
  /** As in safetensors, the slowest dimension first: the reverse of what the file says. */
  readonly shape: readonly number[];
  /** Numbers in it. */
  readonly length: number;
  readonly bytes: number;
  /** Where the data starts in the file. */
  readonly offset: number;
}

export interface GgufHeader {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly GgufTensor[];
}

/** Thrown by the cursor when the bytes read so far end; the caller reads more and starts again. */
export const needMore = Symbol('needMore');

/** The format's own limit on keys. */
const maxKeyBytes = 65_535;
/** What ggml's tensors can have. */
const maxDimensions = 4;
/** The largest known vocabularies hold 300,000 entries and some 500,000 merges. */
const maxArrayLength = 10_000_000;
/** The largest published files hold a few thousand tensors and a hundred keys. */
const maxTensors = 1_000_000;
const maxKeys = 100_000;

type Scalar = 'u8' | 'i8' | 'u16' | 'i16' | 'u32' | 'i32' | 'f32' | 'bool' | 'string' | 'array' | 'u64' | 'i64' | 'f64';
const scalars: readonly Scalar[] = [
  'u8',
  'i8',
  'u16',
  'i16',
  'u32',
  'i32',
  'f32',
  'bool',
  'string',
  'array',
  'u64',
  'i64',
  'f64',
];

/**
 * Reads the header of a GGUF, versions 2 and 3, and checks it completely: counts, types, and that every tensor lies in
 * the file, aligned and clear of the others.
 * @param bytes the start of the file
 * @param fileBytes how long the file is
 * @throws MartletError `bad-gguf`; `needMore` when the header is longer than `bytes`
 */
export function parseGgufHeader(request: { file: string; bytes: Uint8Array; fileBytes: number }): GgufHeader {
  const { file, bytes, fileBytes } = request;
  const refuse = (what: string): MartletError =>
    new MartletError('bad-gguf', `${file} is not a safe GGUF file: ${what}`, {
      hint: 'Download or export the file again; if its source is trusted, compare its sha-256 with the published one.',
    });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let at = 0;
  const take = (size: number): number => {
    if (at + size > fileBytes) throw refuse(`it ends in the middle of its header`);
    if (at + size > bytes.length) throw needMore;
    at += size;
    return at - size;
  };
  const u32 = (): number => view.getUint32(take(4), true);
  const whole = (value: bigint): number => {
    if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER))
      throw refuse(`it holds the number ${value}, which is beyond 2^53`);
    return Number(value);
  };
  const u64 = (): number => whole(view.getBigUint64(take(8), true));
  const count = (what: string, limit: number): number => {
    const value = u64();
    if (value > limit) throw refuse(`it claims ${value} ${what}, more than ${limit}`);
    return value;
  };
  const string = (limit = fileBytes): string => {
    const length = count('bytes in a string', limit);
    const start = take(length);
    try {
      return decoder.decode(bytes.subarray(start, start + length));
    } catch {
      throw refuse(`the text at byte ${start} is not UTF-8`);
    }
  };
  const read: Record<Exclude<Scalar, 'array'>, () => string | number | boolean> = {
    u8: () => view.getUint8(take(1)),
    i8: () => view.getInt8(take(1)),
    u16: () => view.getUint16(take(2), true),
    i16: () => view.getInt16(take(2), true),
    u32,
    i32: () => view.getInt32(take(4), true),
    f32: () => view.getFloat32(take(4), true),
    bool: () => view.getUint8(take(1)) !== 0,
    string,
    u64,
    i64: () => whole(view.getBigInt64(take(8), true)),
    f64: () => view.getFloat64(take(8), true),
  };
  const scalar = (): Scalar => {
    const code = u32();
    const name = scalars[code];
    if (!name) throw refuse(`it holds a value of unknown type ${code}`);
    return name;
  };
  const value = (): GgufValue => {
    const type = scalar();
    if (type !== 'array') return read[type]();
    const element = scalar();
    if (element === 'array') throw refuse('it holds an array of arrays, which no model needs');
    const length = count('elements in an array', maxArrayLength);
    return Array.from({ length }, read[element]) as GgufValue;
  };

  const magic = u32();
  if (magic !== 0x46554747) throw refuse('it does not start with GGUF');
  const version = u32();
  if (version !== 2 && version !== 3) throw refuse(`its version is ${version}; 2 and 3 are read`);
  const tensorCount = count('tensors', maxTensors);
  const keyCount = count('keys', maxKeys);

  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < keyCount; i++) {
    const key = string(maxKeyBytes);
    if (metadata.has(key)) throw refuse(`"${key}" stands twice`);
    metadata.set(key, value());
  }
  const alignment = metadata.get('general.alignment') ?? 32;
  if (typeof alignment !== 'number' || alignment < 8 || alignment % 8 !== 0 || alignment > 65_536)
    throw refuse(`its alignment is ${JSON.stringify(alignment)}`);

  const placed: GgufTensor[] = [];
  const names = new Set<string>();
  for (let i = 0; i < tensorCount; i++) {
    const name = string(maxKeyBytes);
    if (names.has(name)) throw refuse(`tensor "${name}" stands twice`);
    names.add(name);
    const dimensions = u32();
    if (dimensions > maxDimensions) throw refuse(`tensor "${name}" has ${dimensions} dimensions`);
    const sizes = Array.from({ length: dimensions }, u64);
    const code = u32();
    const type = ggufTypeOf(code);
    if (!type) throw refuse(`tensor "${name}" has type ${code}; read are ${Object.keys(blockSizes).join(', ')}`);
    const offset = u64();
    if (offset % alignment !== 0) throw refuse(`tensor "${name}" is not aligned to ${alignment} bytes`);
    const length = sizes.reduce((product, size) => product * size, 1);
    const [block, blockBytes] = blockSizes[type];
    if (!Number.isSafeInteger(length) || (sizes[0] ?? 1) % block !== 0)
      throw refuse(`tensor "${name}" is ${type} [${sizes}], whose rows are no whole number of blocks of ${block}`);
    placed.push({ name, type, shape: sizes.reverse(), length, bytes: (length / block) * blockBytes, offset });
  }
  const dataStart = Math.ceil(at / alignment) * alignment;
  const tensors = placed.map((tensor) => ({ ...tensor, offset: tensor.offset + dataStart }));
  let end = dataStart;
  for (const tensor of tensors.toSorted((a, b) => a.offset - b.offset || a.bytes - b.bytes)) {
    if (tensor.offset < end) throw refuse(`tensor "${tensor.name}" overlaps the one before it`);
    end = tensor.offset + tensor.bytes;
    if (end > fileBytes) throw refuse(`tensor "${tensor.name}" ends at byte ${end} of ${fileBytes} (cut short?)`);
  }
  return { metadata, tensors };
}
