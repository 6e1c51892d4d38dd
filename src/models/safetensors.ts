import { type FileHandle, open, readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { invariant, MartletError } from '../core/error.ts';
import { nearestName } from '../core/nearest.ts';
import { expandToFloat32 } from './float16.ts';
import {
  type Dtype,
  dtypeBytes,
  maxHeaderBytes,
  type PlacedTensor,
  parseHeader,
  type TensorInfo,
} from './safetensors-header.ts';
import { writeWhole } from './whole-file.ts';

export type { Dtype, TensorInfo } from './safetensors-header.ts';

export interface Safetensors extends AsyncDisposable {
  readonly names: readonly string[];
  /** `__metadata__`, of all shards together. */
  readonly metadata: Readonly<Record<string, string>>;
  has(name: string): boolean;
  /** @throws MartletError `tensor-missing`, naming the nearest there is. */
  info(name: string): TensorInfo;
  /** Reads a tensor and widens F16 and BF16; `into` must have its number of elements. */
  readFloat32(name: string, into?: Float32Array): Promise<Float32Array>;
  /** The data as it stands. */
  readBytes(name: string): Promise<Uint8Array>;
  /** The data in chunks of at most a few MiB, so that a copy needs no memory. */
  stream(name: string): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

/** Large enough that a read call costs nothing beside its copy, small enough to stay in cache while it is widened. */
const chunkBytes = 4 << 20;

/**
 * Opens a file, or a folder with `model.safetensors.index.json`, `model.safetensors` or a single `*.safetensors`.
 * Only headers are read; every tensor is read when it is asked for.
 * @throws MartletError `weights-missing` or `bad-safetensors`
 */
export async function openSafetensors(path: string): Promise<Safetensors> {
  const { files, placement } = await findShards(path);
  const handles: FileHandle[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(handles.splice(0).map((handle) => handle.close()));
  };
  const tensors = new Map<string, { tensor: PlacedTensor; start: number; handle: FileHandle; file: string }>();
  const metadata: Record<string, string> = {};
  try {
    for (const file of files) {
      const handle = await open(file, 'r');
      handles.push(handle);
      const shard = await readHeader(file, handle);
      Object.assign(metadata, shard.metadata);
      for (const tensor of shard.tensors) {
        if (placement && placement.get(tensor.name) !== basename(file)) continue;
        tensors.set(tensor.name, { tensor, start: shard.dataStart + tensor.offset, handle, file });
      }
    }
    for (const [name, file] of placement ?? []) {
      if (!tensors.has(name))
        throw new MartletError(
          'bad-safetensors',
          `${path}: the index puts "${name}" into ${file}, which does not hold it`,
        );
    }
  } catch (error) {
    await close();
    throw error;
  }

  const find = (name: string) => {
    const found = tensors.get(name);
    if (found) return found;
    const nearest = nearestName(name, tensors.keys());
    throw new MartletError('tensor-missing', `${path} has no tensor "${name}"`, {
      hint: nearest && `The nearest is "${nearest}".`,
    });
  };
  const fill = async (name: string, place: { target: Uint8Array; from: number }): Promise<void> => {
    const { start, handle, file } = find(name);
    for (let done = 0; done < place.target.length; ) {
      const length = Math.min(place.target.length - done, 1 << 30);
      const { bytesRead } = await handle.read(place.target, done, length, start + place.from + done);
      if (bytesRead === 0) throw new MartletError('bad-safetensors', `${file} was cut short while it was being read`);
      done += bytesRead;
    }
  };
  async function* stream(name: string): AsyncIterable<Uint8Array> {
    const { tensor } = find(name);
    for (let from = 0; from < tensor.bytes; from += chunkBytes) {
      const target = new Uint8Array(Math.min(chunkBytes, tensor.bytes - from));
      await fill(name, { target, from });
      yield target;
    }
  }
  return {
    names: [...tensors.keys()],
    metadata,
    has: (name) => tensors.has(name),
    info: (name) => {
      const { dtype, shape, bytes } = find(name).tensor;
      return { dtype, shape, bytes };
    },
    readBytes: async (name) => {
      const target = new Uint8Array(find(name).tensor.bytes);
      await fill(name, { target, from: 0 });
      return target;
    },
    readFloat32: async (name, into) => {
      const { tensor } = find(name);
      const length = tensor.bytes / dtypeBytes[tensor.dtype];
      const result = into ?? new Float32Array(length);
      invariant(result.length === length, `"${name}" has ${length} elements and the array ${result.length}`);
      if (tensor.dtype === 'F32') {
        await fill(name, { target: new Uint8Array(result.buffer, result.byteOffset, result.byteLength), from: 0 });
        return result;
      }
      if (tensor.dtype !== 'F16' && tensor.dtype !== 'BF16')
        throw new MartletError(
          'unsupported-dtype',
          `"${name}" is ${tensor.dtype}; F32, F16 and BF16 can be computed with`,
        );
      const buffer = new Uint16Array(Math.min(chunkBytes, tensor.bytes) / 2);
      for (let done = 0; done < length; done += buffer.length) {
        const part = buffer.subarray(0, Math.min(buffer.length, length - done));
        await fill(name, { target: new Uint8Array(part.buffer, 0, part.byteLength), from: done * 2 });
        expandToFloat32(part, result.subarray(done, done + part.length), tensor.dtype);
      }
      return result;
    },
    stream,
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function findShards(path: string): Promise<{ files: string[]; placement?: Map<string, string> }> {
  const there = await stat(path).catch(() => undefined);
  if (there?.isFile()) return { files: [path] };
  const missing = (what: string) => new MartletError('weights-missing', `${path}: ${what}`);
  if (!there) throw missing('there is no such file or folder');
  const names = await readdir(path);
  if (names.includes('model.safetensors.index.json')) {
    const text = await readFile(join(path, 'model.safetensors.index.json'), 'utf8');
    const placement = parseIndex(join(path, 'model.safetensors.index.json'), text);
    return { files: [...new Set(placement.values())].map((name) => join(path, name)), placement };
  }
  if (names.includes('model.safetensors')) return { files: [join(path, 'model.safetensors')] };
  const candidates = names.filter((name) => name.endsWith('.safetensors'));
  if (candidates.length !== 1)
    throw missing(
      `expected model.safetensors, found ${candidates.length === 0 ? 'no weights' : candidates.join(', ')}`,
    );
  return { files: candidates.map((name) => join(path, name)) };
}

/** An index comes from a stranger: it may name files of its own folder only. */
function parseIndex(file: string, text: string): Map<string, string> {
  let map: unknown;
  try {
    map = (JSON.parse(text) as { weight_map?: unknown }).weight_map;
  } catch (cause) {
    throw new MartletError('bad-safetensors', `${file} is not JSON`, { cause });
  }
  if (typeof map !== 'object' || map === null || Array.isArray(map))
    throw new MartletError('bad-safetensors', `${file} has no weight_map`);
  const placement = new Map<string, string>();
  for (const [name, shard] of Object.entries(map)) {
    if (typeof shard !== 'string' || !/^[^/\\]+\.safetensors$/.test(shard))
      throw new MartletError(
        'bad-safetensors',
        `${file} puts "${name}" into ${JSON.stringify(shard)}, which is no file beside it`,
      );
    placement.set(name, shard);
  }
  return placement;
}

async function readHeader(file: string, handle: FileHandle) {
  const { size } = await handle.stat();
  const start = new Uint8Array(8);
  const { bytesRead } = await handle.read(start, 0, 8, 0);
  const length = bytesRead === 8 ? Number(new DataView(start.buffer).getBigUint64(0, true)) : -1;
  if (length < 2 || length > maxHeaderBytes || 8 + length > size)
    throw new MartletError(
      'bad-safetensors',
      `${file} is not a safetensors file: it claims a header of ${length} bytes in ${size}`,
    );
  const header = new Uint8Array(length);
  await handle.read(header, 0, length, 8);
  return { ...parseHeader(file, header, size - 8 - length), dataStart: 8 + length };
}

export interface TensorSource {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** The data, little-endian; a function is called when its turn comes, so that only one tensor need be in memory. */
  readonly data: ArrayBufferView | (() => AsyncIterable<Uint8Array>);
}

/**
 * Writes a file that appears whole or not at all, byte for byte as the reference implementation does: widest dtype
 * first, then by name, header padded to 8 bytes.
 * @throws MartletError `bug` when data and shape disagree
 */
export async function writeSafetensors(
  file: string,
  tensors: Iterable<TensorSource>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const ordered = [...tensors].sort(
    (a, b) => dtypeOrder.indexOf(a.dtype) - dtypeOrder.indexOf(b.dtype) || (a.name < b.name ? -1 : 1),
  );
  const header: Record<string, unknown> = Object.keys(metadata).length > 0 ? { __metadata__: metadata } : {};
  let offset = 0;
  for (const { name, dtype, shape } of ordered) {
    invariant(!Object.hasOwn(header, name), `tensor "${name}" is written twice`);
    const end = offset + shape.reduce((product, size) => product * size, dtypeBytes[dtype]);
    header[name] = { dtype, shape, data_offsets: [offset, end] };
    offset = end;
  }
  const json = Buffer.from(JSON.stringify(header));
  const start = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ');
  start.writeBigUInt64LE(BigInt(start.length - 8));
  json.copy(start, 8);

  await writeWhole(file, async (append) => {
    await append(start);
    for (const { name, dtype, shape, data } of ordered) {
      let written = 0;
      for await (const chunk of typeof data === 'function' ? data() : [data]) {
        await append(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
        written += chunk.byteLength;
      }
      const expected = shape.reduce((product, size) => product * size, dtypeBytes[dtype]);
      invariant(written === expected, `"${name}" is ${dtype} [${shape}], ${expected} bytes, and got ${written}`);
    }
  });
}

/** Widest first, and among equals the later of the reference's enum first. */
const dtypeOrder: readonly Dtype[] = [
  'U64',
  'I64',
  'F64',
  'F32',
  'U32',
  'I32',
  'BF16',
  'F16',
  'U16',
  'I16',
  'F8_E4M3',
  'F8_E5M2',
  'I8',
  'U8',
  'BOOL',
];
