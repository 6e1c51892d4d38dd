/** Token ids in, text out: what has been given so far never changes. */
export interface TextStream {
  /** @returns the text that is certain now; empty while a character is incomplete. */
  push(id: number): string;
  /** @returns what was held back, as the tokenizer reads it when nothing follows. */
  end(): string;
}

/** What stands for bytes that are no character, or not one yet. */
const replacement = '\ufffd';

/**
 * Decodes a stream of tokens. A character may be spread over several tokens, so text that ends in an incomplete one is held
 * back; and a decoder may treat the first token of a text in its own way (it drops a leading space), so each piece is the
 * difference that a token makes behind the piece before it.
 */
export function textStream(decode: (ids: readonly number[]) => string): TextStream {
  // Ids of the last piece that was given, then those that are still held back.
  let window: number[] = [];
  let given = 0;
  let before = '';
  return {
    push(id) {
      window.push(id);
      const now = decode(window);
      // A special token adds nothing: the piece that follows it still stands behind the last one.
      if (now.length <= before.length || now.endsWith(replacement)) return '';
      const piece = now.slice(before.length);
      window = window.slice(given);
      given = window.length;
      before = decode(window);
      return piece;
    },
    end: () => (given === window.length ? '' : decode(window).slice(before.length)),
  };
}
