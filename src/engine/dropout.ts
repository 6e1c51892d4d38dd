import { randomStream } from '../core/random.ts';

/** 0 with probability `share`, else 1 / (1 - share); 16 random bits a number. */
export function fillDropout(mask: Float32Array, share: number, key: number): void {
  const random = randomStream(key);
  const threshold = Math.round(share * 65536);
  const kept = 1 / (1 - share);
  for (let i = 0; i < mask.length; i += 2) {
    const bits = random.next();
    mask[i] = (bits & 0xffff) < threshold ? 0 : kept;
    if (i + 1 < mask.length) mask[i + 1] = bits >>> 16 < threshold ? 0 : kept;
  }
}
