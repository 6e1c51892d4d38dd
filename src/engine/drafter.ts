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

/** How a guess is looked up: by the last `context` tokens, `first` tokens long until it has proved itself. */
const lookups = [
  { context: 2, first: 3 },
  { context: 1, first: 1 },
] as const;
const longest = 7;
/** Each guessed token makes a pass about 7 % longer: guesses pay where one in seven is right. */
const worthwhile = 0.15;
/** After guesses that did not pay, the next one of the kind is tried so many tokens later. */
const pauseTokens = 8;

/**
 * Prompt lookup (Saxena, 2023): the tokens that followed the last two, or the last one, when they stood there before, in
 * prompt or answer. A drafting service copies figures out of its facts, so much of what it writes has been seen. The model
 * checks every guess: what is answered is what it would have answered token by token.
 */
export function openDrafter(prompt: ArrayLike<number>): Drafter {
  const ids: number[] = [];
  const kinds = lookups.map(({ context, first }) => ({
    context,
    first,
    places: new Map<string, number>(),
    length: first as number,
    expected: 1,
    resumeAt: 0,
  }));
  let used = kinds[0];
  const append = (added: ArrayLike<number>): void => {
    for (let i = 0; i < added.length; i++) {
      // A place is entered once something follows it, so that a sequence does not find its own end.
      for (const { context, places } of kinds)
        if (ids.length >= context) places.set(ids.slice(-context).join(), ids.length);
      ids.push(added[i] ?? 0);
    }
  };
  append(prompt);
  return {
    append,
    draft(most) {
      if (most < 1) return [];
      for (const kind of kinds) {
        const place = ids.length < kind.resumeAt ? undefined : kind.places.get(ids.slice(-kind.context).join());
        if (place === undefined) continue;
        used = kind;
        return ids.slice(place, place + Math.min(most, kind.length));
      }
      return [];
    },
    judge(right) {
      if (!used) return;
      used.length = right >= used.length ? Math.min(2 * used.length, longest) : Math.max(used.first, right + 1);
      used.expected = 0.7 * used.expected + 0.3 * right;
      if (used.expected >= worthwhile) return;
      used.expected = 2 * worthwhile;
      used.resumeAt = ids.length + pauseTokens;
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
