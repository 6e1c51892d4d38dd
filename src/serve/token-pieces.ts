import type { Tokenizer } from '../spec/tokenizer.ts';

/** A token as log-probabilities name it. */
export interface TokenPiece {
  /** Its text inside a sentence; U+FFFD stands for bytes that are no whole character. */
  readonly token: string;
  /** The bytes it stands for, which put together with its neighbours' give the text. */
  readonly bytes: readonly number[];
}

/** Text and bytes of single tokens. Special tokens are shown as they are written. */
export function tokenPieces(tokenizer: Tokenizer): (id: number) => TokenPiece {
  const known = new Map<number, TokenPiece>();
  // Behind a word, because decoders drop the space of a first token.
  const word = Array.from(tokenizer.encode('a').ids);
  const wordText = tokenizer.decode(word);
  const read = (id: number): TokenPiece => {
    const token = tokenizer.decode([...word, id]).slice(wordText.length);
    const bytes = token.includes('\ufffd') ? rawBytes(tokenizer.tokenOf(id) ?? '') : undefined;
    return { token, bytes: bytes ?? Array.from(new TextEncoder().encode(token)) };
  };
  return (id) => {
    const piece = known.get(id) ?? read(id);
    known.set(id, piece);
    return piece;
  };
}

/** The bytes of a vocabulary entry, written as `<0xE4>` or in GPT-2's byte alphabet. */
function rawBytes(entry: string): readonly number[] | undefined {
  const single = /^<0x([0-9A-F]{2})>$/.exec(entry)?.[1];
  if (single !== undefined) return [Number.parseInt(single, 16)];
  const bytes = Array.from(entry, (character) => byteOf.get(character));
  return bytes.every((byte) => byte !== undefined) ? bytes : undefined;
}

/** GPT-2's alphabet: printable Latin-1 as itself, the other bytes in order from U+0100 on. */
const byteOf: ReadonlyMap<string, number> = (() => {
  const table = new Map<string, number>();
  let beyond = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const printable =
      (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
    table.set(String.fromCharCode(printable ? byte : beyond++), byte);
  }
  return table;
})();
