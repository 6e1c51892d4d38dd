import type { Encoding, Tokenizer } from '../spec/tokenizer.ts';
import { TEMPLATE } from './jinja/text.ts';
import type { Source } from './messages.ts';

/** Rendered text with its runs, as `renderRaw` gives it. */
export interface ProvenText {
  readonly text: string;
  readonly runs: readonly number[];
  readonly sources?: readonly Source[];
}

/** Text in content that spells a special token, and was encoded as ordinary text. */
export interface Lookalike {
  /** UTF-16 range of the rendered text. */
  readonly start: number;
  readonly end: number;
  readonly token: string;
}

export interface EncodedText extends Encoding {
  readonly lookalikes: readonly Lookalike[];
  /** Positions where the tokens of the whole text would have run across a seam, and were cut there instead. */
  readonly cutSeams: readonly number[];
}

/** What text of content becomes that spells a special token: ordinary text, the token, or a reason to refuse the row. */
export type ControlTokens = 'text' | 'special' | 'refuse';

export interface EncodeTextOptions {
  readonly tokenizer: Tokenizer;
  /** UTF-16 positions in ascending order. */
  readonly seams: readonly number[];
  readonly controlTokens?: ControlTokens | undefined;
}

/**
 * Text to tokens such that only the template places special tokens: where content spells one, the stretch between the
 * template's own special tokens is encoded as ordinary text.
 *
 * A seam is where a generation prompt ends. What stands before it is encoded as a serving engine encodes the prompt, and
 * what follows is cut off from it, so that ids(prompt) + ids(completion) = ids(all) even where the tokenizer, given the
 * whole, would merge across.
 */
export function encodeText(proven: ProvenText, { tokenizer, seams, controlTokens }: EncodeTextOptions): EncodedText {
  const facts = factsOf(tokenizer);
  let tokens = facts.encode(proven.text);
  const lookalikes: Lookalike[] = [];
  const genuine: boolean[] = [];
  for (let index = 0; index < tokens.ids.length; index++) {
    const token = facts.specialText(tokens.ids[index] as number);
    if (token === undefined) continue;
    const range = spelled(proven.text, { token, start: startOf(tokens, index), end: endOf(tokens, index) });
    if (isTemplate(proven, range)) genuine[index] = true;
    else lookalikes.push({ ...range, token });
  }
  if (lookalikes.length > 0 && controlTokens !== 'special')
    tokens = withOrdinary(proven.text, { tokens, genuine, lookalikes, facts });

  const cutSeams: number[] = [];
  for (const seam of seams) {
    const cut = cutAt(proven.text, { tokens, seam, facts });
    if (!cut) continue;
    tokens = cut;
    cutSeams.push(seam);
  }
  return { ...tokens, lookalikes, cutSeams };
}

const startOf = (tokens: Encoding, index: number): number => tokens.offsets[index * 2] ?? 0;
const endOf = (tokens: Encoding, index: number): number => tokens.offsets[index * 2 + 1] ?? 0;

/** Index of the first token that starts at a position or behind it. */
export function firstTokenAt({ offsets }: Encoding, position: number): number {
  let low = 0;
  let high = offsets.length / 2;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((offsets[middle * 2] as number) < position) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A special token may swallow white space around it (lstrip, rstrip): the range of its own letters. */
function spelled(
  text: string,
  { token, start, end }: { token: string; start: number; end: number },
): { start: number; end: number } {
  const at = text.indexOf(token, start);
  return at >= 0 && at + token.length <= end ? { start: at, end: at + token.length } : { start, end };
}

/** Whether the template wrote it, or the agent format that wrote the message. */
function isTemplate({ text, runs, sources }: ProvenText, { start, end }: { start: number; end: number }): boolean {
  for (let i = 0; i < runs.length; i += 3) {
    const from = runs[i] as number;
    const until = i + 3 < runs.length ? (runs[i + 3] as number) : text.length;
    if (until <= start || from >= end || runs[i + 1] === TEMPLATE) continue;
    const source = sources?.[runs[i + 1] as number];
    const offset = runs[i + 2] as number;
    const own = source?.kind === 'message' && offset >= 0 ? (source.own ?? []) : [];
    const first = offset + Math.max(start, from) - from;
    const behind = offset + Math.min(end, until) - from;
    if (!own.some(([begin, stop]) => begin <= first && behind <= stop)) return false;
  }
  return true;
}

interface OrdinaryRequest {
  readonly tokens: Encoding;
  readonly genuine: readonly boolean[];
  readonly lookalikes: readonly Lookalike[];
  readonly facts: TokenizerFacts;
}

/** Encodes each stretch between genuine special tokens anew when a lookalike lies in it. */
function withOrdinary(text: string, { tokens, genuine, lookalikes, facts }: OrdinaryRequest): Encoding {
  const pieces: Encoding[] = [];
  let first = 0;
  const flush = (end: number, until: number): void => {
    const from = first === 0 ? 0 : endOf(tokens, first - 1);
    const isSpelled = lookalikes.some((found) => found.start >= from && found.end <= until);
    pieces.push(isSpelled ? facts.continueOrdinary(text.slice(from, until), from) : part(tokens, first, end));
  };
  for (let i = 0; i < tokens.ids.length; i++) {
    if (!genuine[i]) continue;
    flush(i, startOf(tokens, i));
    pieces.push(part(tokens, i, i + 1));
    first = i + 1;
  }
  flush(tokens.ids.length, text.length);
  return joined(pieces);
}

/** The tokens from one index up to another. */
function part({ ids, offsets }: Encoding, ...[from, to]: [from: number, to?: number]): Encoding {
  return { ids: ids.subarray(from, to), offsets: offsets.subarray(from * 2, to === undefined ? to : to * 2) };
}

function joined(pieces: readonly Encoding[]): Encoding {
  const count = pieces.reduce((sum, { ids }) => sum + ids.length, 0);
  const ids = new Uint32Array(count);
  const offsets = new Uint32Array(count * 2);
  let at = 0;
  for (const piece of pieces) {
    ids.set(piece.ids, at);
    offsets.set(piece.offsets, at * 2);
    at += piece.ids.length;
  }
  return { ids, offsets };
}

/** Tokens of a part of a text, as they stand in the whole. */
function moved({ ids, offsets }: Encoding, by: number): Encoding {
  return { ids, offsets: offsets.map((offset) => offset + by) };
}

interface CutRequest {
  readonly tokens: Encoding;
  readonly seam: number;
  readonly facts: TokenizerFacts;
}

/** The tokens cut at a seam; nothing when they end there already, exactly as the prompt's own tokens do. */
function cutAt(text: string, { tokens, seam, facts }: CutRequest): Encoding | undefined {
  const count = tokens.ids.length;
  const next = firstTokenAt(tokens, seam);
  // Special tokens are cut out of the text before anything else, so that nothing merges across one: only what lies
  // between the last one before the seam and the first one behind it can be affected.
  let last = next - 1;
  while (last >= 0 && facts.specialText(tokens.ids[last] as number) === undefined) last--;
  if (last >= 0 && last === next - 1) return undefined;
  const windowStart = last >= 0 ? startOf(tokens, last) : 0;
  const before = facts.encodeWindow(text.slice(windowStart, seam));
  const kept = Math.max(last, 0);
  const same = before.ids.length === next - kept && before.ids.every((id, index) => id === tokens.ids[kept + index]);
  if (same && (next === 0 || endOf(tokens, next - 1) <= seam)) return undefined;
  let behind = next;
  while (behind < count && facts.specialText(tokens.ids[behind] as number) === undefined) behind++;
  const end = behind < count ? startOf(tokens, behind) : text.length;
  return joined([
    part(tokens, 0, kept),
    moved(before, windowStart),
    facts.continueText(text.slice(seam, end), seam),
    part(tokens, behind),
  ]);
}

interface TokenizerFacts {
  /** The text of a special token; undefined for any other. */
  specialText(id: number): string | undefined;
  encode(text: string): Encoding;
  /** The same, remembered: the end of a generation prompt is the same in every row. */
  encodeWindow(text: string): Encoding;
  /** Encodes text that stands at a position in a longer one, without what a tokenizer puts in front of a text. */
  continueText(text: string, position: number): Encoding;
  continueOrdinary(text: string, position: number): Encoding;
}

const known = new WeakMap<Tokenizer, TokenizerFacts>();
const rememberedWindows = 256;

function factsOf(tokenizer: Tokenizer): TokenizerFacts {
  const found = known.get(tokenizer);
  if (found) return found;
  const specials = [...tokenizer.addedTokens].filter(([, token]) => token.special);
  const special = new Array<string | undefined>(specials.reduce((most, [, { id }]) => Math.max(most, id + 1), 0));
  for (const [token, { id }] of specials) special[id] = token;
  const windows = new Map<string, Encoding>();
  let prefixes: boolean | undefined;
  const continued = (encode: (text: string) => Encoding, ...[text, position]: [string, number]): Encoding => {
    if (text === '') return joined([]);
    prefixes ??= addsPrefix(tokenizer);
    if (position > 0 && prefixes) {
      // SentencePiece-like tokenizers put a space in front of a text; behind a line break they do not.
      const anchored = encode(`\n${text}`);
      const first = firstTokenAt(anchored, 1);
      if (first > 0 && first < anchored.ids.length && endOf(anchored, first - 1) <= 1)
        return moved(part(anchored, first), position - 1);
    }
    return moved(encode(text), position);
  };
  const facts: TokenizerFacts = {
    specialText: (id) => special[id],
    encode: (text) => tokenizer.encode(text),
    encodeWindow: (text) => {
      const remembered = windows.get(text);
      if (remembered) return remembered;
      const encoding = tokenizer.encode(text);
      if (windows.size >= rememberedWindows) windows.clear();
      if (text.length <= 256) windows.set(text, encoding);
      return encoding;
    },
    continueText: (text, position) => continued((part) => tokenizer.encode(part), text, position),
    continueOrdinary: (text, position) => continued((part) => tokenizer.encodeOrdinary(part), text, position),
  };
  known.set(tokenizer, facts);
  return facts;
}

/** Whether a text alone is encoded otherwise than the same text behind a line break. */
function addsPrefix(tokenizer: Tokenizer): boolean {
  const alone = tokenizer.encode('x').ids;
  const behind = tokenizer.encode('\nx').ids;
  return !alone.every((id, index) => id === behind[behind.length - alone.length + index]);
}
