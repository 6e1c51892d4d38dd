let halfTable: Float32Array | undefined;

/** Every half-precision number as a single one, by its bits. A table of 256 KiB is the fastest widening there is. */
function halves(): Float32Array {
  if (halfTable) return halfTable;
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) table[bits] = halfToNumber(bits);
  halfTable = table;
  return table;
}

/** The value of an IEEE 754 half. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** Widens 16-bit floats. Both arrays have the same length. */
export function expandToFloat32(from: Uint16Array, into: Float32Array, dtype: 'F16' | 'BF16'): void {
  if (dtype === 'BF16') {
    const bits = new Uint32Array(into.buffer, into.byteOffset, into.length);
    for (let i = 0; i < from.length; i++) bits[i] = (from[i] as number) << 16;
    return;
  }
  const table = halves();
  for (let i = 0; i < from.length; i++) into[i] = table[from[i] as number] as number;
}

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** The nearest half, ties to even; beyond its range infinity. */
export function numberToHalf(value: number): number {
  scratch[0] = value;
  const bits = scratchBits[0] as number;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  // Below 2^-14 halves lie 2^-24 apart: adding 0.5 makes the float unit round exactly there.
  if (magnitude < 0x38800000) {
    scratch[0] = Math.abs(scratch[0] as number) + 0.5;
    return sign | ((scratchBits[0] as number) - 0x3f000000);
  }
  return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
}

/** The nearest bfloat16, ties to even. */
export function numberToBfloat16(value: number): number {
  scratch[0] = value;
  const bits = scratchBits[0] as number;
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}
