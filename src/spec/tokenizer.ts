/** Text to ids with offsets, exactly as the model's `tokenizer.json` says. Implementations: `models/tokenizer.ts`. */
export interface Tokenizer {
  /** Fingerprint of the definition it was made from. */
  readonly fingerprint: string;
  readonly vocabularySize: number;
  /** Ids of added tokens by their text, special ones included. */
  readonly addedTokens: ReadonlyMap<string, { readonly id: number; readonly special: boolean }>;
  /**
   * Encodes text as it stands: nothing is added in front or behind, and added tokens in the text become their ids.
   * @returns ids, and for each the UTF-16 range `[start, end)` of the text it came from.
   */
  encode(text: string): Encoding;
  /** Encodes text in which nothing may become an added token: for content that only looks like a control token. */
  encodeOrdinary(text: string): Encoding;
  /** Text of ids; special tokens are kept unless told otherwise. */
  decode(ids: ArrayLike<number>, options?: { readonly skipSpecial?: boolean }): string;
  idOf(token: string): number | undefined;
  tokenOf(id: number): string | undefined;
}

export interface Encoding {
  readonly ids: Uint32Array;
  /** Two numbers an id: where it starts and ends in the text, in UTF-16 units. */
  readonly offsets: Uint32Array;
}
