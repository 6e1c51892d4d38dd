import { MartletError } from '../core/error.ts';
import type { Encoding } from '../spec/tokenizer.ts';
import type { MergedWord, MergeWord } from './merge-word.ts';
import { isSettled, type WordCut } from './word-cut.ts';

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

/** A word of one token is its id; of several, ids and where each starts and ends in the word. */
type Word = number | MergedWord;

const noWord: Word = { ids: [], ranges: [] };

/** About 40 MB of words. */
const mostWords = 2 ** 18;
/** A longer word is asked for each time, so that what is remembered stays small. */
const longestRemembered = 64;
/** From this length on, V8 keeps a slice's whole text alive. */
const shortestSlice = 13;

/** Every text at first, then one in so many, goes the crate's way too. */
const checkedAtFirst = 64;
const checkEvery = 256;

/**
 * Ids of a text, word by word: each distinct word is merged once, here or by the crate, and remembered. Cutting and looking
 * up is several times faster than merging a text anew, since most words of a text have been seen.
 *
 * That a text's ids are those of its words is checked against the crate on the first texts and on a sample of all later
 * ones.
 */
export function wordEncoder(options: WordEncoderOptions): WordEncoder {
  const { cut, nfc, addedIds, separator, merge, encode } = options;
  const known = new Map<string, Word>();
  let texts = 0;
  let trusted = true;

  /** Every word once, each cut off from the next by a special token, in one question. */
  const learn = (words: readonly string[], into: Map<string, Word>): void => {
    const text = words.join(separator.content);
    const { ids, offsets } = encode(text);
    let token = 0;
    let start = 0;
    for (const word of words) {
      const first = token;
      while (token < ids.length && ids[token] !== separator.id) token++;
      into.set(word, wordOf({ ids, offsets, first, end: token, start }));
      token++;
      start += word.length + separator.content.length;
    }
    if (token !== ids.length + 1) throw mismatch(text);
  };

  const remember = (word: string, tokens: Word): void => {
    if (word.length > longestRemembered) return;
    if (known.size >= mostWords) known.clear();
    known.set(word.length < shortestSlice ? word : Buffer.from(word, 'utf16le').toString('utf16le'), tokens);
  };

  const askFor = (words: readonly string[]): Map<string, Word> => {
    const learned = new Map<string, Word>();
    learn(words, learned);
    for (const [word, tokens] of learned) remember(word, tokens);
    return learned;
  };

  const merged = (word: string): Word | undefined => {
    const tokens = merge?.(word);
    if (!tokens) return undefined;
    const result = tokens.ids.length === 1 ? (tokens.ids[0] as number) : tokens;
    remember(word, result);
    return result;
  };

  /** What is known of each piece; numbers of added tokens stay where they are. */
  const wordsOf = (pieces: readonly (string | number)[]): readonly Word[] => {
    const words = new Array<Word>(pieces.length);
    let unknown: Set<string> | undefined;
    for (let index = 0; index < pieces.length; index++) {
      const piece = pieces[index] as string | number;
      if (typeof piece === 'number') continue;
      const word = known.get(piece) ?? merged(piece);
      if (word !== undefined) words[index] = word;
      else {
        unknown ??= new Set();
        unknown.add(piece);
      }
    }
    if (!unknown) return words;
    const learned = askFor([...unknown]);
    for (const [index, piece] of pieces.entries())
      if (typeof piece === 'string') words[index] ??= learned.get(piece) ?? noWord;
    return words;
  };

  const encodeWords = (text: string): Encoding => {
    const pieces = piecesOf(text, { cut, addedIds });
    const words = wordsOf(pieces);
    let ids = new Uint32Array(pieces.length + 16);
    let offsets = new Uint32Array(ids.length * 2);
    let count = 0;
    let at = 0;
    const push = (id: number, start: number, end: number): void => {
      if (count === ids.length) {
        ids = grown(ids, count * 2);
        offsets = grown(offsets, ids.length * 2);
      }
      ids[count] = id;
      offsets[count * 2] = start;
      offsets[count * 2 + 1] = end;
      count++;
    };
    for (let index = 0; index < pieces.length; index++) {
      const piece = pieces[index] as string | number;
      if (typeof piece === 'number') {
        // An added token: its id, and behind it its length.
        const length = pieces[++index] as number;
        push(piece, at, at + length);
        at += length;
        continue;
      }
      const word = words[index] as Word;
      if (typeof word === 'number') push(word, at, at + piece.length);
      else {
        const { ids: own, ranges } = word;
        for (let token = 0; token < own.length; token++)
          push(own[token] as number, at + (ranges[token * 2] as number), at + (ranges[token * 2 + 1] as number));
      }
      at += piece.length;
    }
    if (at !== text.length) throw mismatch(text);
    return { ids: ids.subarray(0, count), offsets: offsets.subarray(0, count * 2) };
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

/** Words as strings; an added token as two numbers, its id and its length. */
function piecesOf(text: string, { cut, addedIds }: Pick<WordEncoderOptions, 'cut' | 'addedIds'>): (string | number)[] {
  const pieces: (string | number)[] = [];
  const split = (part: string, level: number): void => {
    const added = cut.added[level];
    if (!added) {
      const words = part.match(cut.words);
      if (words) for (const word of words) pieces.push(word);
      return;
    }
    let from = 0;
    for (const { 0: content, index } of part.matchAll(added)) {
      if (index > from) split(part.slice(from, index), level + 1);
      pieces.push(addedIds.get(content) ?? -1, content.length);
      from = index + content.length;
    }
    if (from < part.length) split(from === 0 ? part : part.slice(from), level + 1);
  };
  split(text, 0);
  return pieces;
}

interface WordTokens extends Encoding {
  readonly first: number;
  readonly end: number;
  /** Where the word starts in the text the offsets count in. */
  readonly start: number;
}

function wordOf({ ids, offsets, first, end, start }: WordTokens): Word {
  if (end === first + 1) return ids[first] as number;
  const ranges = Array.from(offsets.subarray(first * 2, end * 2), (offset) => offset - start);
  return { ids: Array.from(ids.subarray(first, end)), ranges };
}

function grown(array: Uint32Array<ArrayBuffer>, length: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(length);
  larger.set(array);
  return larger;
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
