/**
 * Remembers by 96 bits of a hash which number came first under it: about 22 bytes a key, where a Map of texts takes 150.
 * Of ten million keys two agree by chance with probability 10⁻¹⁵.
 */
export interface FirstSeen {
  /** The number (below 2³² - 1) first given under the hash; undefined the first time. 16 bytes that look random. */
  seen(hash: Uint8Array, value: number): number | undefined;
}

type Key = readonly [number, number, number];

/** Many small tables, so that growing copies little at once. */
const tableCount = 64;

export function firstSeen(): FirstSeen {
  const tables = Array.from({ length: tableCount }, openTable);
  return {
    seen(hash, value) {
      const key = [word(hash, 0), word(hash, 4), word(hash, 8)] as const;
      return tables[word(hash, 12) % tableCount]?.(key, value);
    },
  };
}

const wordsPerKey = 3;
const fullest = 0.8;
const growth = 1.25;

function openTable(): (key: Key, value: number) => number | undefined {
  let capacity = 16;
  let size = 0;
  let keys = new Uint32Array(capacity * wordsPerKey);
  /** Value + 1; 0 where nothing stands. */
  let values = new Uint32Array(capacity);

  const slotOf = ([a, b, c]: Key): number => {
    for (let slot = Math.floor((a / 2 ** 32) * capacity); ; slot = slot + 1 === capacity ? 0 : slot + 1) {
      if (values[slot] === 0) return slot;
      const at = slot * wordsPerKey;
      if (keys[at] === a && keys[at + 1] === b && keys[at + 2] === c) return slot;
    }
  };
  const put = (slot: number, key: Key, value: number): void => {
    keys.set(key, slot * wordsPerKey);
    values[slot] = value;
  };
  const grow = (): void => {
    const [oldKeys, oldValues] = [keys, values];
    capacity = Math.ceil(capacity * growth);
    keys = new Uint32Array(capacity * wordsPerKey);
    values = new Uint32Array(capacity);
    for (let i = 0; i < oldValues.length; i++) {
      const value = oldValues[i] ?? 0;
      if (value === 0) continue;
      const at = i * wordsPerKey;
      const key = [oldKeys[at] ?? 0, oldKeys[at + 1] ?? 0, oldKeys[at + 2] ?? 0] as const;
      put(slotOf(key), key, value);
    }
  };

  return (key, value) => {
    const slot = slotOf(key);
    const known = values[slot] ?? 0;
    if (known > 0) return known - 1;
    put(slot, key, value + 1);
    if (++size > capacity * fullest) grow();
    return undefined;
  };
}

function word(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)) >>> 0
  );
}
