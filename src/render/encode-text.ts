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

export interface EncodedText {
  readonly ids: readonly number[];
  /** Two numbers a token: its UTF-16 range. */
  readonly offsets: readonly number[];
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
  const whole = facts.encode(proven.text);
  let tokens: Tokens = { ids: Array.from(whole.ids), offsets: Array.from(whole.offsets) };
  const lookalikes: Lookalike[] = [];
  const genuine: boolean[] = [];
  tokens.ids.forEach((id, index) => {
    const token = facts.special.get(id);
    if (token === undefined) return;
    const range = spelled(proven.text, { token, start: startOf(tokens, index), end: endOf(tokens, index) });
    if (isTemplate(proven, range)) genuine[index] = true;
    else lookalikes.push({ ...range, token });
  });
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

interface Tokens {
  readonly ids: readonly number[];
  readonly offsets: readonly number[];
}

const startOf = (tokens: Tokens, index: number): number => tokens.offsets[index * 2] ?? 0;
const endOf = (tokens: Tokens, index: number): number => tokens.offsets[index * 2 + 1] ?? 0;

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
  readonly tokens: Tokens;
  readonly genuine: readonly boolean[];
  readonly lookalikes: readonly Lookalike[];
  readonly facts: TokenizerFacts;
}

/** Encodes each stretch between genuine special tokens anew when a lookalike lies in it. */
function withOrdinary(text: string, { tokens, genuine, lookalikes, facts }: OrdinaryRequest): Tokens {
  const ids: number[] = [];
  const offsets: number[] = [];
  let first = 0;
  const flush = (end: number, until: number): void => {
    const from = first === 0 ? 0 : endOf(tokens, first - 1);
    if (lookalikes.some((found) => found.start >= from && found.end <= until)) {
      const piece = facts.continueOrdinary(text.slice(from, until), from);
      append({ ids, offsets }, piece);
    } else
      for (let i = first; i < end; i++) {
        ids.push(tokens.ids[i] as number);
        offsets.push(startOf(tokens, i), endOf(tokens, i));
      }
  };
  for (let i = 0; i < tokens.ids.length; i++) {
    if (!genuine[i]) continue;
    flush(i, startOf(tokens, i));
    ids.push(tokens.ids[i] as number);
    offsets.push(startOf(tokens, i), endOf(tokens, i));
    first = i + 1;
  }
  flush(tokens.ids.length, text.length);
  return { ids, offsets };
}

function append(to: { ids: number[]; offsets: number[] }, piece: Tokens): void {
  to.ids.push(...piece.ids);
  to.offsets.push(...piece.offsets);
}

interface CutRequest {
  readonly tokens: Tokens;
  readonly seam: number;
  readonly facts: TokenizerFacts;
}

/** The tokens cut at a seam; nothing when they end there already, exactly as the prompt's own tokens do. */
function cutAt(text: string, { tokens, seam, facts }: CutRequest): Tokens | undefined {
  const count = tokens.ids.length;
  let next = 0;
  while (next < count && startOf(tokens, next) < seam) next++;
  // Special tokens are cut out of the text before anything else, so that nothing merges across one: only what lies
  // between the last one before the seam and the first one behind it can be affected.
  let last = next - 1;
  while (last >= 0 && !facts.special.has(tokens.ids[last] as number)) last--;
  if (last >= 0 && last === next - 1) return undefined;
  const windowStart = last >= 0 ? startOf(tokens, last) : 0;
  const before = facts.encodeWindow(text.slice(windowStart, seam));
  const kept = Math.max(last, 0);
  const same = before.ids.length === next - kept && before.ids.every((id, index) => id === tokens.ids[kept + index]);
  if (same && (next === 0 || endOf(tokens, next - 1) <= seam)) return undefined;
  let behind = next;
  while (behind < count && !facts.special.has(tokens.ids[behind] as number)) behind++;
  const end = behind < count ? startOf(tokens, behind) : text.length;
  const result = { ids: tokens.ids.slice(0, kept), offsets: tokens.offsets.slice(0, kept * 2) };
  append(result, {
    ids: Array.from(before.ids),
    offsets: Array.from(before.offsets, (offset) => offset + windowStart),
  });
  append(result, facts.continueText(text.slice(seam, end), seam));
  append(result, { ids: tokens.ids.slice(behind), offsets: tokens.offsets.slice(behind * 2) });
  return result;
}

interface TokenizerFacts {
  /** Texts of special tokens by id. */
  readonly special: ReadonlyMap<number, string>;
  encode(text: string): Encoding;
  /** The same, remembered: the end of a generation prompt is the same in every row. */
  encodeWindow(text: string): Encoding;
  /** Encodes text that stands at a position in a longer one, without what a tokenizer puts in front of a text. */
  continueText(text: string, position: number): Tokens;
  continueOrdinary(text: string, position: number): Tokens;
}

const known = new WeakMap<Tokenizer, TokenizerFacts>();
const rememberedWindows = 256;

function factsOf(tokenizer: Tokenizer): TokenizerFacts {
  const found = known.get(tokenizer);
  if (found) return found;
  const special = new Map<number, string>();
  for (const [token, { id, special: isSpecial }] of tokenizer.addedTokens) if (isSpecial) special.set(id, token);
  const windows = new Map<string, Encoding>();
  let prefixes: boolean | undefined;
  const continued = (encode: (text: string) => Encoding, ...[text, position]: [string, number]): Tokens => {
    if (text === '') return { ids: [], offsets: [] };
    prefixes ??= addsPrefix(tokenizer);
    if (position > 0 && prefixes) {
      // SentencePiece-like tokenizers put a space in front of a text; behind a line break they do not.
      const anchored = encode(`\n${text}`);
      const tokens = { ids: Array.from(anchored.ids), offsets: Array.from(anchored.offsets) };
      const first = tokens.ids.findIndex((_, index) => startOf(tokens, index) >= 1);
      if (first > 0 && endOf(tokens, first - 1) <= 1)
        return {
          ids: tokens.ids.slice(first),
          offsets: tokens.offsets.slice(first * 2).map((offset) => offset - 1 + position),
        };
    }
    const plain = encode(text);
    return { ids: Array.from(plain.ids), offsets: Array.from(plain.offsets, (offset) => offset + position) };
  };
  const facts: TokenizerFacts = {
    special,
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
