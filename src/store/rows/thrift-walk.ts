/**
 * Walks a structure in Thrift's compact protocol without building it, and refuses what no honest writer makes: a list
 * longer than its bytes, nesting without end. What was walked can be decoded by a reader that trusts its input.
 */
export function walkThrift(bytes: Uint8Array, start: number, visit: ThriftVisitor = () => undefined): number {
  let at = start;
  let depth = 0;
  const byte = (): number => {
    const value = bytes[at++];
    if (value === undefined) throw new Error('it ends inside a structure');
    return value;
  };
  const varint = (): number => {
    let value = 0;
    let scale = 1;
    for (let length = 0; length < 10; length++) {
      const next = byte();
      value += (next & 0x7f) * scale;
      if (next < 0x80) return value;
      scale *= 128;
    }
    throw new Error('a number has no end');
  };
  const zigzag = (): number => {
    const value = varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  };
  const skip = (count: number): void => {
    if (count > bytes.length - at) throw new Error('it ends inside a structure');
    at += count;
  };
  const list = (path: readonly number[]): void => {
    const head = byte();
    const size = head >> 4 === 15 ? varint() : head >> 4;
    const inner = head & 15;
    // Every element takes a byte or more; a reader may take a truth value of a list from no byte at all.
    if (size > bytes.length - at) throw new Error('a list is longer than the bytes that hold it');
    if (inner === 1 || inner === 2) skip(size);
    else for (let i = 0; i < size; i++) element(inner, path);
  };
  const element = (type: number, path: readonly number[]): void => {
    if (type === 3) skip(1);
    else if (type === 4 || type === 5 || type === 6) visit(path, zigzag());
    else if (type === 7) skip(8);
    else if (type === 8) skip(varint());
    else if (type === 9) list(path);
    else if (type === 12) struct(path);
    else if (type === 1 || type === 2) visit(path, type === 1 ? 1 : 0);
    else throw new Error(`a field has the unknown type ${type}`);
  };
  const struct = (path: readonly number[]): void => {
    if (++depth > 32) throw new Error('structures are nested too deep');
    for (let field = 0; ; ) {
      const head = byte();
      if (head === 0) break;
      field = head >> 4 === 0 ? zigzag() : field + (head >> 4);
      element(head & 15, [...path, field]);
    }
    depth--;
  };
  struct([]);
  return at;
}

/** Told of each whole number and truth value (1 or 0), with the numbers of the fields that lead to it. */
export type ThriftVisitor = (path: readonly number[], value: number) => void;
