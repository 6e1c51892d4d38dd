import type { EngineToken } from '../spec/engine.ts';
import type { Decoder } from './decoder.ts';

/** Guesses how a sequence goes on, from what it said before. */
export interface Drafter {
  /** Appends what the sequence really says. */
  append(ids: ArrayLike<number>): void;
  /** A guess at the next tokens, at most `most`; empty when there is none worth its time. */
  draft(most: number): readonly number[];
  /** How many tokens of the last guess were right. */
  judge(right: number): void;
}

/** Tokens that must have stood together before for what followed to be a guess. */
const context = 3;
/** A guess costs about six tenths of a pass more, so it pays where one token in two guesses is right. */
const worthwhile = 0.5;
/** After guesses that did not pay, the next one is tried so many tokens later. */
const pauseTokens = 12;

/**
 * Prompt lookup (Saxena, 2023): the tokens that followed the last three when they stood together before, in prompt or
 * answer. A drafting service copies figures out of its facts, so much of what it writes has been seen. The model checks
 * every guess: what is answered is what it would have answered token by token.
 */
export function openDrafter(prompt: ArrayLike<number>): Drafter {
  const ids: number[] = [];
  const lastPlace = new Map<string, number>();
  let expected = 1;
  let length = 2;
  let resumeAt = 0;
  const append = (added: ArrayLike<number>): void => {
    for (let i = 0; i < added.length; i++) {
      // A place is entered once something follows it, so that a sequence does not find its own end.
      if (ids.length >= context) lastPlace.set(ids.slice(-context).join(), ids.length);
      ids.push(added[i] ?? 0);
    }
  };
  append(prompt);
  return {
    append,
    draft(most) {
      if (ids.length < resumeAt || most < 1) return [];
      const place = lastPlace.get(ids.slice(-context).join());
      return place === undefined ? [] : ids.slice(place, place + Math.min(most, length));
    },
    judge(right) {
      length = right >= length ? Math.min(2 * length, 8) : Math.max(2, right + 1);
      expected = 0.7 * expected + 0.3 * right;
      if (expected >= worthwhile) return;
      expected = 1;
      resumeAt = ids.length + pauseTokens;
    },
  };
}

/**
 * The next tokens of the only active sequence of a decoder: one, and as many more of a guess as the model itself takes.
 * Alone, a sequence waits for weights to be read; checking several tokens reads them once.
 *
 * @param request.pending the last token, which the cache does not hold yet.
 * @param request.most tokens that may be taken.
 * @param request.take decides on a token from its logits, and tells the drafter.
 */
export async function nextTokens(request: {
  readonly decoder: Decoder;
  readonly drafter: Drafter;
  readonly pending: number;
  readonly most: number;
  readonly take: (logits: Float32Array) => EngineToken;
}): Promise<readonly EngineToken[]> {
  const { decoder, drafter, pending, most, take } = request;
  const guess = drafter.draft(Math.min(decoder.maxExtension, most, decoder.room(0)) - 1);
  if (guess.length === 0) return [take(await decoder.step([pending]))];
  const logits = await decoder.extend([pending, ...guess]);
  const vocabulary = logits.length / (guess.length + 1);
  const tokens: EngineToken[] = [];
  for (let row = 0; row <= guess.length; row++) {
    const token = take(logits.subarray(row * vocabulary, (row + 1) * vocabulary));
    tokens.push(token);
    if (token.finishReason || token.id !== guess[row]) break;
  }
  decoder.rewind(0, guess.length + 1 - tokens.length);
  drafter.judge(tokens.length - 1);
  return tokens;
}
