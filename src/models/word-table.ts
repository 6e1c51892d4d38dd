import { roomFor } from '../core/room-for.ts';

/** Tokens of a word: ids, and two numbers each: where it starts and ends in the word, in UTF-16 units. */
export interface WordTokens {
  readonly ids: readonly number[];
  readonly ranges: readonly number[];
}

/** What of a text is looked up: UTF-16 units `[start, end)`. */
export interface Units {
  readonly units: Uint16Array;
  readonly start: number;
  readonly end: number;
}

/**
 * Words and their tokens. All of them lie in one flat array: a text has a word every five letters, and a string for each,
 * with a map to hash it, costs several times what looking it up here does.
 */
export interface WordTable {
  /** Whether it holds so much that it should be cleared; never by itself, so that places stay good through a text. */
  isFull(): boolean;
  clear(): void;
  /** The place of a word, or -1. */
  find(word: Units): number;
  /** The place of a word that is not there yet. */
  add(word: Units, tokens: WordTokens): number;
  /** Writes the tokens of the word at a place, as it stands at a position of a text. */
  write(place: number, to: TokenSink, at: number): void;
}

/** Where tokens are written; `count` of them are there. */
export interface TokenSink {
  ids: Uint32Array<ArrayBuffer>;
  offsets: Uint32Array<ArrayBuffer>;
  count: number;
}

export function addToken(
  to: TokenSink,
  token: { readonly id: number; readonly start: number; readonly end: number },
): void {
  const { count } = to;
  if (count === to.ids.length) {
    to.ids = roomFor(to.ids, count + 1);
    to.offsets = roomFor(to.offsets, to.ids.length * 2);
  }
  to.ids[count] = token.id;
  to.offsets[count * 2] = token.start;
  to.offsets[count * 2 + 1] = token.end;
  to.count = count + 1;
}

/** 16 MB. */
const mostNumbers = 2 ** 22;

/** A record: hash, length in units, count of tokens; three numbers a token (id, start, end); then the units, two in a number. */
const headNumbers = 3;
const tokenNumbers = 3;

export function wordTable(): WordTable {
  /** Places of records by hash, the next slot where one is taken; 0 is an empty slot. */
  let slots = new Int32Array(2 ** 12);
  let records = new Int32Array(2 ** 14);
  let units16 = new Uint16Array(records.buffer);
  let used = 1;
  let words = 0;

  const claimSlot = (place: number): void => {
    const mask = slots.length - 1;
    let slot = (records[place] as number) & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = place;
  };

  const growSlots = (): void => {
    const places = slots.filter((place) => place !== 0);
    slots = new Int32Array(slots.length * 2);
    places.forEach(claimSlot);
  };

  return {
    isFull: () => used >= mostNumbers,
    clear() {
      slots.fill(0);
      used = 1;
      words = 0;
    },
    find({ units, start, end }) {
      const hash = hashOf(units, start, end);
      const mask = slots.length - 1;
      const length = end - start;
      for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
        const place = slots[slot] as number;
        if (place === 0) return -1;
        if (records[place] !== hash || records[place + 1] !== length) continue;
        const first = (place + headNumbers + (records[place + 2] as number) * tokenNumbers) * 2;
        let same = 0;
        while (same < length && units16[first + same] === units[start + same]) same++;
        if (same === length) return place;
      }
    },
    add({ units, start, end }, { ids, ranges }) {
      const place = used;
      const key = place + headNumbers + ids.length * tokenNumbers;
      used = key + ((end - start + 1) >> 1);
      records = roomFor(records, used);
      units16 = new Uint16Array(records.buffer);
      records[place] = hashOf(units, start, end);
      records[place + 1] = end - start;
      records[place + 2] = ids.length;
      for (let token = 0; token < ids.length; token++) {
        const at = place + headNumbers + token * tokenNumbers;
        records[at] = ids[token] as number;
        records[at + 1] = ranges[token * 2] as number;
        records[at + 2] = ranges[token * 2 + 1] as number;
      }
      units16.set(units.subarray(start, end), key * 2);
      words++;
      if (words * 2 > slots.length) growSlots();
      claimSlot(place);
      return place;
    },
    write(place, to, at) {
      const first = place + headNumbers;
      const end = first + (records[place + 2] as number) * tokenNumbers;
      for (let token = first; token < end; token += tokenNumbers) {
        const start = at + (records[token + 1] as number);
        addToken(to, { id: records[token] as number, start, end: at + (records[token + 2] as number) });
      }
    },
  };
}

/** FNV-1a over units, its high bits folded into the low ones that choose a slot. */
function hashOf(units: Uint16Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (units[at] as number), 0x01000193);
  return hash ^ (hash >>> 15);
}
