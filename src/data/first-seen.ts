/**
 * Remembers by 128 bits of a hash which number came first under it: about 30 bytes a key, where a Map of texts takes 150.
 * Two of n keys agree by chance with probability n² / 2¹²⁹.
 */
export interface FirstSeen {
  /** The number first given under the hash; undefined the first time. At least 16 bytes that look random. */
  seen(hash: Uint8Array, value: number): number | undefined;
}

const wordsPerKey = 4;

export function firstSeen(): FirstSeen {
  let capacity = 1024;
  let size = 0;
  let keys = new Uint32Array(capacity * wordsPerKey);
  /** Value + 1; 0 where nothing stands. */
  let values = new Float64Array(capacity);

  const slotOf = (a: number, b: number, c: number, d: number): number => {
    for (let slot = a & (capacity - 1); ; slot = (slot + 1) & (capacity - 1)) {
      if (values[slot] === 0) return slot;
      const at = slot * wordsPerKey;
      if (keys[at] === a && keys[at + 1] === b && keys[at + 2] === c && keys[at + 3] === d) return slot;
    }
  };
  const put = (slot: number, [a, b, c, d]: readonly [number, number, number, number], value: number): void => {
    keys.set([a, b, c, d], slot * wordsPerKey);
    values[slot] = value;
  };
  const grow = (): void => {
    const oldKeys = keys;
    const oldValues = values;
    capacity *= 2;
    keys = new Uint32Array(capacity * wordsPerKey);
    values = new Float64Array(capacity);
    for (let i = 0; i < oldValues.length; i++) {
      const value = oldValues[i] ?? 0;
      if (value === 0) continue;
      const at = i * wordsPerKey;
      const key = [oldKeys[at] ?? 0, oldKeys[at + 1] ?? 0, oldKeys[at + 2] ?? 0, oldKeys[at + 3] ?? 0] as const;
      put(slotOf(...key), key, value);
    }
  };

  return {
    seen(hash, value) {
      const key = [word(hash, 0), word(hash, 4), word(hash, 8), word(hash, 12)] as const;
      const slot = slotOf(...key);
      const known = values[slot] ?? 0;
      if (known > 0) return known - 1;
      put(slot, key, value + 1);
      if (++size > capacity / 2) grow();
      return undefined;
    },
  };
}

function word(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)) >>> 0
  );
}
