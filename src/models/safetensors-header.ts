import { MartletError } from '../core/error.ts';

/** Bytes an element takes, by safetensors' names. Types narrower than a byte are refused: nothing here computes with them. */
export const dtypeBytes = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
} as const;

export type Dtype = keyof typeof dtypeBytes;

export interface TensorInfo {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Size of the data. */
  readonly bytes: number;
}

export interface PlacedTensor extends TensorInfo {
  readonly name: string;
  /** Where the data starts, from the end of the header. */
  readonly offset: number;
}

/** The limit of the reference implementation; also keeps a lying length from asking for all memory. */
export const maxHeaderBytes = 100_000_000;
/** Header object, tensor object, shape array: a valid header is never deeper. */
const maxDepth = 3;
/** The largest published models hold some 100,000; a million names is an attack on whoever lists them. */
const maxTensors = 1_000_000;
/** NumPy's own limit; weights have at most 5. */
const maxRank = 64;

function refuse(file: string, what: string): MartletError {
  return new MartletError('bad-safetensors', `${file} is not a safe safetensors file: ${what}`, {
    hint: 'Download or export the file again; if its source is trusted, compare its sha-256 with the published one.',
  });
}

/**
 * Checks the header completely before anything uses it: tensors must tile the data exactly, without gap or overlap.
 * @param header the JSON bytes, without the 8 bytes of length
 * @param dataBytes what the file holds after the header
 * @returns tensors in order of their data
 * @throws MartletError `bad-safetensors`
 */
export function parseHeader(
  file: string,
  header: Uint8Array,
  dataBytes: number,
): { tensors: PlacedTensor[]; metadata: Record<string, string> } {
  if (header[0] !== 0x7b) throw refuse(file, 'the header does not start with {');
  let parsed: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(header);
    refuseDepthAndDuplicates(file, text);
    parsed = JSON.parse(text);
  } catch (error) {
    if (MartletError.is(error)) throw error;
    throw refuse(file, `the header is not JSON in UTF-8 (${error instanceof Error ? error.message : error})`);
  }
  const tensors: PlacedTensor[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(parsed as Record<string, unknown>)) {
    if (name === '__metadata__') metadata = checkMetadata(file, entry);
    else tensors.push(checkTensor({ file, name, entry, dataBytes }));
  }
  if (tensors.length > maxTensors) throw refuse(file, `${tensors.length} tensors, more than ${maxTensors}`);
  tensors.sort((a, b) => a.offset - b.offset || a.bytes - b.bytes);
  let end = 0;
  for (const tensor of tensors) {
    if (tensor.offset < end) throw refuse(file, `tensor "${tensor.name}" overlaps the one before it`);
    if (tensor.offset > end)
      throw refuse(file, `${tensor.offset - end} bytes before tensor "${tensor.name}" belong to none`);
    end += tensor.bytes;
  }
  if (end !== dataBytes)
    throw refuse(
      file,
      `the tensors take ${end} bytes and the file holds ${dataBytes} (cut short, or something was added)`,
    );
  return { tensors, metadata };
}

/** JSON.parse keeps the last of two equal keys, other readers the first: such a file would mean two things. */
function refuseDepthAndDuplicates(file: string, text: string): void {
  const keys: Set<string>[] = [];
  const closers: string[] = [];
  for (const [match] of text.matchAll(/"(?:[^"\\]|\\.)*"\s*:?|[{}[\]]/gs)) {
    if (match === '{' || match === '[') {
      closers.push(match);
      keys.push(new Set());
      if (closers.length > maxDepth) throw refuse(file, `the header is nested deeper than ${maxDepth}`);
    } else if (match === '}' || match === ']') {
      closers.pop();
      keys.pop();
    } else if (match.endsWith(':')) {
      const key = JSON.parse(match.slice(0, match.lastIndexOf('"') + 1)) as string;
      const seen = keys.at(-1);
      if (seen?.has(key)) throw refuse(file, `"${key}" stands twice in the header`);
      seen?.add(key);
    }
  }
}

function checkMetadata(file: string, entry: unknown): Record<string, string> {
  const good =
    typeof entry === 'object' && entry !== null && Object.values(entry).every((value) => typeof value === 'string');
  if (!good || Array.isArray(entry)) throw refuse(file, '__metadata__ is not an object of strings');
  return entry as Record<string, string>;
}

function checkTensor(request: { file: string; name: string; entry: unknown; dataBytes: number }): PlacedTensor {
  const { file, name, entry, dataBytes } = request;
  const at = `tensor "${name}"`;
  if (typeof entry !== 'object' || entry === null) throw refuse(file, `${at} is not an object`);
  const { dtype, shape, data_offsets: offsets, ...rest } = entry as Record<string, unknown>;
  const extra = Object.keys(rest)[0];
  if (extra !== undefined) throw refuse(file, `${at} has an unknown member "${extra}"`);
  if (typeof dtype !== 'string' || !Object.hasOwn(dtypeBytes, dtype))
    throw refuse(file, `${at} has dtype ${JSON.stringify(dtype)}; known are ${Object.keys(dtypeBytes).join(', ')}`);
  if (!Array.isArray(shape) || shape.length > maxRank || !shape.every(isCount))
    throw refuse(file, `${at} has a shape that is not a list of at most ${maxRank} sizes`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount))
    throw refuse(file, `${at} has data_offsets that are not two positions`);
  const [start, end] = offsets as [number, number];
  if (start > end || end > dataBytes)
    throw refuse(file, `${at} lies at ${start}..${end}, outside the ${dataBytes} bytes of data`);
  const bytes = shape.reduce((product: number, size: number) => product * size, dtypeBytes[dtype as Dtype]);
  if (bytes !== end - start)
    throw refuse(file, `${at} is ${dtype} [${shape}], which takes ${bytes} bytes, and its data takes ${end - start}`);
  return { name, dtype: dtype as Dtype, shape: shape as number[], bytes, offset: start };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
