/** What a thread with tokenizers may be asked for. */
export type TokenizerRequest =
  | { readonly kind: 'has'; readonly key: string }
  /** Answered by nothing: an `open` that nobody waits for. */
  | { readonly kind: 'prepare'; readonly key: string; readonly text: string }
  /** The same of a file. */
  | { readonly kind: 'read'; readonly file: string }
  | { readonly kind: 'open'; readonly key: string; readonly text: string }
  | { readonly kind: 'encode'; readonly key: string; readonly text: string }
  | { readonly kind: 'decode'; readonly key: string; readonly ids: readonly number[]; readonly skipSpecial: boolean };

export type TokenizerReply =
  | { readonly has: boolean }
  | { readonly ids: Uint32Array; readonly offsets: Uint32Array }
  | { readonly text: string }
  | { readonly error: string };
