/**
 * Counter-based random numbers: the n-th draw of a stream is a function of (seed, stream, n), so a resumed run needs
 * no saved generator. Mixer: the 32-bit finaliser "triple32" (Wellons, 2018).
 */
export interface RandomStream {
  /** A whole number in [0, 2^32). */
  next(): number;
  /** A number in [0, 1) with 32 random bits. */
  uniform(): number;
  /** A whole number in [0, bound). */
  below(bound: number): number;
}

export function mix32(value: number): number {
  let x = value >>> 0;
  x ^= x >>> 17;
  x = Math.imul(x, 0xed5ad4bb);
  x ^= x >>> 11;
  x = Math.imul(x, 0xac4c1b51);
  x ^= x >>> 15;
  x = Math.imul(x, 0x31848bab);
  x ^= x >>> 14;
  return x >>> 0;
}

/** One 32-bit key from a seed and any number of whole-number coordinates (epoch, step, layer ...). */
export function streamKey(seed: number, ...coordinates: readonly number[]): number {
  let key = mix32((seed >>> 0) ^ 0x9e3779b9);
  for (const coordinate of coordinates) key = mix32(key ^ mix32((coordinate + 0x7f4a7c15) >>> 0));
  return key;
}

export function randomStream(key: number, start = 0): RandomStream {
  let counter = start;
  const next = (): number => mix32(mix32(counter++) ^ key);
  const uniform = (): number => next() / 4294967296;
  return { next, uniform, below: (bound) => Math.floor(uniform() * bound) };
}

/** Fisher-Yates; the order is a function of the key alone. */
export function shuffled<T>(items: readonly T[], key: number): T[] {
  const result = items.slice();
  const random = randomStream(key);
  for (let i = result.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const held = result[i] as T;
    result[i] = result[j] as T;
    result[j] = held;
  }
  return result;
}

/** Standard normal numbers in pairs (Box and Muller, 1958). */
export function normal(random: RandomStream): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.uniform()));
  return radius * Math.cos(2 * Math.PI * random.uniform());
}
