/**
 * Unpacks a block of LZ4 (`LZ4_RAW` in Parquet): runs of literals, each followed by a copy of what was unpacked before.
 * @throws Error for a block that ends early, points in front of its beginning, or has another length
 */
export function unpackLz4Block(input: Uint8Array, length: number): Uint8Array {
  const output = new Uint8Array(length);
  let from = 0;
  let to = 0;
  const byte = (): number => {
    const value = input[from++];
    if (value === undefined) throw new Error('its LZ4 block ends early');
    return value;
  };
  /** A length of 15 goes on in bytes that are added up, until one is not full. */
  const lengthFrom = (nibble: number): number => {
    let sum = nibble;
    if (nibble < 15) return sum;
    for (let more = 255; more === 255; sum += more) more = byte();
    return sum;
  };
  while (from < input.length) {
    const token = byte();
    const literals = lengthFrom(token >> 4);
    if (from + literals > input.length || to + literals > length) throw new Error('its LZ4 block is damaged');
    output.set(input.subarray(from, from + literals), to);
    from += literals;
    to += literals;
    if (from === input.length) break;
    const offset = byte() | (byte() << 8);
    const copied = lengthFrom(token & 15) + 4;
    if (offset === 0 || offset > to || to + copied > length) throw new Error('its LZ4 block is damaged');
    // One by one: a copy may run into what it writes.
    for (let end = to + copied; to < end; to++) output[to] = output[to - offset] ?? 0;
  }
  if (to !== length) throw new Error('its LZ4 block is damaged');
  return output;
}
