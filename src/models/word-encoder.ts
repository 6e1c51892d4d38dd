import { MartletError } from '../core/error.ts';
import { roomFor } from '../core/room-for.ts';
import type { Encoding } from '../spec/tokenizer.ts';
import type { MergeWord } from './merge-word.ts';
import { isSettled, type WordCut } from './word-cut.ts';
import { addToken, type TokenSink, type WordTable, type WordTokens, wordTable } from './word-table.ts';

export interface WordEncoderOptions {
  readonly cut: WordCut;
  /** Whether the definition normalises text to NFC. */
  readonly nfc: boolean;
  readonly addedIds: ReadonlyMap<string, number>;
  /** A special token, which the crate cuts out of a text before anything else. */
  readonly separator: { readonly content: string; readonly id: number };
  /** Merges a word without asking the crate, where the vocabulary is of a kind that can be merged here. */
  readonly merge?: MergeWord | undefined;
  /** The crate. */
  readonly encode: (text: string) => Encoding;
}

export interface WordEncoder {
  /** Undefined for a text that must go to the crate as it is. */
  encode(text: string): Encoding | undefined;
}

/** Every text at first, then one in so many, goes the crate's way too. */
const checkedAtFirst = 64;
const checkEvery = 256;

/**
 * Ids of a text, word by word: each distinct word is merged once, here or by the crate, and remembered. Cutting and looking
 * up is many times faster than merging a text anew, since most words of a text have been seen.
 *
 * That a text's ids are those of its words is checked against the crate on the first texts and on a sample of all later
 * ones.
 */
export function wordEncoder(options: WordEncoderOptions): WordEncoder {
  const { cut, nfc, addedIds, separator, merge, encode } = options;
  const known = wordTable();
  const pieces = pieceList();
  let units = new Uint16Array(2 ** 12);
  let texts = 0;
  let trusted = true;

  /** Every word once, each cut off from the next by a special token, in one question. */
  const ask = (words: readonly string[]): WordTokens[] => {
    const text = words.join(separator.content);
    const { ids, offsets } = encode(text);
    let token = 0;
    let start = 0;
    const learned = words.map((word) => {
      const first = token;
      while (token < ids.length && ids[token] !== separator.id) token++;
      const ranges = Array.from(offsets.subarray(first * 2, token * 2), (offset) => offset - start);
      const tokens = { ids: Array.from(ids.subarray(first, token)), ranges };
      token++;
      start += word.length + separator.content.length;
      return tokens;
    });
    if (token !== ids.length + 1) throw mismatch(text);
    return learned;
  };

  /** Asks for the words that are neither known nor can be merged here, all of them together. */
  const learn = (text: string, unknown: readonly number[]): void => {
    const words = [...new Set(unknown.map((piece) => text.slice(pieces.startOf(piece), pieces.startOf(piece + 1))))];
    const learned = ask(words);
    const numbers = new Map(words.map((word, index) => [word, addWord(word, learned[index] as WordTokens)]));
    for (const piece of unknown) {
      const number = numbers.get(text.slice(pieces.startOf(piece), pieces.startOf(piece + 1)));
      pieces.set(piece, number ?? -1);
    }
  };

  const addWord = (word: string, tokens: WordTokens): number => {
    const own = Uint16Array.from(word, (_, at) => word.charCodeAt(at));
    return known.add({ units: own, start: 0, end: word.length }, tokens);
  };

  const encodeWords = (text: string): Encoding => {
    units = roomFor(units, text.length);
    Buffer.from(units.buffer).write(text, 'utf16le');
    if (known.isFull()) known.clear();
    pieces.clear();
    const unknown: number[] = [];
    const addWords = (part: string, from: number): void => {
      const until = from + part.length;
      for (let start = from; start < until; ) {
        const end = wordEnd({ cut, units, part, from, start, until });
        const word = { units, start, end };
        let number = known.find(word);
        if (number === -1) {
          const tokens = merge?.(text.slice(start, end));
          if (tokens) number = known.add(word, tokens);
          else unknown.push(pieces.count());
        }
        pieces.add(number, start);
        start = end;
      }
    };
    const split = (part: string, from: number, level: number): void => {
      const added = cut.added[level];
      if (!added) {
        addWords(part, from);
        return;
      }
      let done = 0;
      for (const { 0: content, index } of part.matchAll(added)) {
        if (index > done) split(part.slice(done, index), from + done, level + 1);
        pieces.add(addedPiece(addedIds.get(content) ?? 0), from + index);
        done = index + content.length;
      }
      if (done < part.length) split(done === 0 ? part : part.slice(done), from + done, level + 1);
    };
    split(text, 0, 0);
    pieces.end(text.length);
    if (unknown.length > 0) learn(text, unknown);
    return pieces.encoding(known);
  };

  return {
    encode(text) {
      if (!trusted || !isSettled(text, nfc)) return undefined;
      texts++;
      const encoding = encodeWords(text);
      if (texts > checkedAtFirst && texts % checkEvery !== 0) return encoding;
      const whole = encode(text);
      if (equal(encoding.ids, whole.ids) && equal(encoding.offsets, whole.offsets)) return encoding;
      if (texts > checkedAtFirst) throw mismatch(text);
      trusted = false;
      return whole;
    },
  };
}

interface WordEndRequest {
  readonly cut: WordCut;
  readonly units: Uint16Array;
  /** What is cut as if it were a text of its own, and where it starts and ends in the units. */
  readonly part: string;
  readonly from: number;
  readonly until: number;
  readonly start: number;
}

const space = 0x20;

const isLetter = (unit: number): boolean => (unit >= 0x61 && unit <= 0x7a) || (unit >= 0x41 && unit <= 0x5a);

/** Where the word that begins at `start` ends. */
function wordEnd({ cut, units, part, from, until, start }: WordEndRequest): number {
  if (cut.takesLetters) {
    let end = units[start] === space ? start + 1 : start;
    const letters = end;
    while (end < until && isLetter(units[end] as number)) end++;
    if (end > letters && (end === until || (units[end] as number) < 0x80)) return end;
  }
  cut.words.lastIndex = start - from;
  if (!cut.words.test(part) || cut.words.lastIndex <= start - from) throw mismatch(part);
  return from + cut.words.lastIndex;
}

/** Added tokens among numbers of words, told apart by their sign. */
const addedPiece = (id: number): number => -2 - id;

/** Words and added tokens of one text in order: a number each, and where it starts. */
function pieceList() {
  let numbers = new Int32Array(2 ** 10);
  let starts = new Uint32Array(2 ** 10);
  let count = 0;
  const sink: TokenSink = { ids: new Uint32Array(2 ** 11), offsets: new Uint32Array(2 ** 12), count: 0 };
  return {
    count: () => count,
    clear(): void {
      count = 0;
    },
    startOf: (piece: number): number => starts[piece] as number,
    add(number: number, start: number): void {
      if (count + 1 >= numbers.length) {
        numbers = roomFor(numbers, count + 2);
        starts = roomFor(starts, numbers.length);
      }
      numbers[count] = number;
      starts[count++] = start;
    },
    set(piece: number, number: number): void {
      numbers[piece] = number;
    },
    /** Where the last piece ends. */
    end(position: number): void {
      starts[count] = position;
    },
    encoding(words: WordTable): Encoding {
      sink.count = 0;
      for (let piece = 0; piece < count; piece++) {
        const number = numbers[piece] as number;
        const start = starts[piece] as number;
        if (number >= 0) words.write(number, sink, start);
        else addToken(sink, { id: -2 - number, start, end: starts[piece + 1] as number });
      }
      return { ids: sink.ids.slice(0, sink.count), offsets: sink.offsets.slice(0, sink.count * 2) };
    },
  };
}

function equal(a: Uint32Array, b: Uint32Array): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}

function mismatch(text: string): MartletError {
  return new MartletError(
    'tokenizer-failed',
    `the tokenizer cuts this text otherwise than its definition says: ${JSON.stringify(text.slice(0, 200))}`,
    { hint: 'This is a defect of Martlet: report the text and the model.' },
  );
}
