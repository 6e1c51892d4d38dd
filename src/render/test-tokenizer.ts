import type { Encoding, Tokenizer } from '../spec/tokenizer.ts';

interface TestTokenizerOptions {
  readonly special: readonly string[];
  /** Added tokens that are vocabulary, not control. */
  readonly added?: readonly string[];
  /** Puts a space in front of a text, as SentencePiece does. */
  readonly prefix?: boolean;
}

/**
 * A tokenizer for tests: words with the space before them, runs of line breaks, single signs, and special tokens. It
 * merges where real ones do: line breaks on both sides of a seam become one token.
 */
export function testTokenizer({ special, added = [], prefix = false }: TestTokenizerOptions): Tokenizer {
  const ids = new Map<string, number>();
  const tokens: string[] = [];
  const idOf = (token: string): number => {
    const known = ids.get(token);
    if (known !== undefined) return known;
    ids.set(token, tokens.length);
    tokens.push(token);
    return tokens.length - 1;
  };
  const addedTokens = new Map(
    [...special, ...added].map((token) => [token, { id: idOf(token), special: special.includes(token) }]),
  );
  const quoted = (token: string): string => token.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  const ordinary = '\\n+| ?[\\p{L}\\p{N}]+|.';
  const control = [...addedTokens.keys()].map(quoted).join('|');
  const encodeWith = (pattern: RegExp, text: string): Encoding => {
    const spelled = prefix && /^\S/.test(text) ? ` ${text}` : text;
    const shift = spelled.length - text.length;
    const found = Array.from(spelled.matchAll(pattern));
    return {
      ids: Uint32Array.from(found, (match) => idOf(match[0])),
      offsets: Uint32Array.from(
        found.flatMap((match) => [Math.max(0, match.index - shift), match.index + match[0].length - shift]),
      ),
    };
  };
  return {
    fingerprint: '0'.repeat(64),
    vocabularySize: 1000,
    addedTokens,
    encode: (text) => encodeWith(new RegExp(`${control}|${ordinary}`, 'gsu'), text),
    encodeOrdinary: (text) => encodeWith(new RegExp(ordinary, 'gsu'), text),
    decode: (list) => Array.from(list, (id) => tokens[id] ?? '').join(''),
    idOf: (token) => ids.get(token),
    tokenOf: (id) => tokens[id],
  };
}
