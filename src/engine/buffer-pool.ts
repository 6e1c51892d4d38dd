/** Buffers by name, kept between packs and grown when a longer one comes. */
export function bufferPool(): (name: string, size: number) => Float32Array<ArrayBuffer> {
  const pool = new Map<string, Float32Array<ArrayBuffer>>();
  return (name, size) => {
    const known = pool.get(name);
    if (known && known.length >= size) return known.subarray(0, size);
    const made = new Float32Array(size);
    pool.set(name, made);
    return made;
  };
}
