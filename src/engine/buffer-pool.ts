/** A buffer of at least so many numbers under a name; what it holds stays until somebody writes there. */
export type BufferPool = (name: string, size: number) => Float32Array<ArrayBuffer>;

/** Buffers by name, kept between packs and grown when a longer one comes. */
export function bufferPool(): BufferPool {
  const pool = new Map<string, Float32Array<ArrayBuffer>>();
  return (name, size) => {
    const known = pool.get(name);
    if (known && known.length >= size) return known.subarray(0, size);
    // Packs differ by a few tokens: a buffer that had to grow with each would be thrown away as often.
    const made = new Float32Array(known ? Math.ceil(size * 1.125) : size);
    pool.set(name, made);
    return made.subarray(0, size);
  };
}
