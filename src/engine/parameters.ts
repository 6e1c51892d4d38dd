import { invariant } from '../core/error.ts';

export interface ParameterEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly size: number;
}

/** Named tensors that lie in one flat array, so that gradients are cleared, clipped and applied in a few passes. */
export interface FlatParameters {
  readonly entries: readonly ParameterEntry[];
  readonly size: number;
  /** The numbers of one tensor inside an array of `size`; a view, not a copy. */
  view(array: Float32Array, name: string): Float32Array;
  entry(name: string): ParameterEntry;
  has(name: string): boolean;
}

/** Matrices come first: weight decay applies to them alone, so it is one range. */
export function flatParameters(
  shapes: Readonly<Record<string, readonly number[]>>,
): FlatParameters & { readonly matrixSize: number } {
  const names = Object.keys(shapes);
  const matrices = names.filter((name) => (shapes[name]?.length ?? 0) >= 2);
  const vectors = names.filter((name) => (shapes[name]?.length ?? 0) < 2);
  const entries: ParameterEntry[] = [];
  const byName = new Map<string, ParameterEntry>();
  let offset = 0;
  let matrixSize = 0;
  for (const name of [...matrices, ...vectors]) {
    const shape = shapes[name] ?? [];
    const size = shape.reduce((product, length) => product * length, 1);
    const entry = { name, shape, offset, size };
    entries.push(entry);
    byName.set(name, entry);
    offset += size;
    if (shape.length >= 2) matrixSize = offset;
  }
  const entry = (name: string): ParameterEntry => {
    const found = byName.get(name);
    invariant(found, `there is no parameter ${name}`);
    return found;
  };
  return {
    entries,
    size: offset,
    matrixSize,
    entry,
    has: (name) => byName.has(name),
    view(array, name) {
      const { offset: start, size } = entry(name);
      return array.subarray(start, start + size);
    },
  };
}
