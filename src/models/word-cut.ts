/**
 * How a byte-level BPE tokenizer cuts text into words before it merges anything, as far as JavaScript's regular
 * expressions can say it exactly. Nothing merges across a word, so the ids of a text are those of its words.
 */

interface CutDefinition {
  readonly normalizer?: { readonly type: string } | null;
  readonly pre_tokenizer?: unknown;
  readonly model: { readonly type?: string; readonly dropout?: number | null };
  readonly added_tokens?: readonly AddedTokenFlags[];
}

interface AddedTokenFlags {
  readonly content: string;
  readonly normalized?: boolean;
  readonly lstrip?: boolean;
  readonly rstrip?: boolean;
  readonly single_word?: boolean;
}

export interface WordCut {
  /** Added tokens as they are looked for: those of the text as it stands first, then those of what lies between. */
  readonly added: readonly RegExp[];
  /** Global; its matches follow one another without gaps. */
  readonly words: RegExp;
  /** Whether letters, with or without a space in front, are always a word as far as they go: no match is needed then. */
  readonly takesLetters: boolean;
}

/** GPT-2's cut, which the crate's ByteLevel holds built in. */
const gpt2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;

/** The same where each digit was cut off before: white space ends at a digit as it ends at the end of a text. */
const gpt2Digits = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?![^\s\p{N}])|\s+`;

/** How patterns begin in which letters come first, but for what begins with an apostrophe. */
const lettersFirst = [
  String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+|`,
  String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|`,
  String.raw`(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|`,
];

/** Undefined for a definition that cuts otherwise, or does more than cutting. */
export function wordCutOf(definition: CutDefinition): WordCut | undefined {
  const { model, normalizer, added_tokens: added = [] } = definition;
  if (model.type !== 'BPE' || typeof model.dropout === 'number') return undefined;
  if (normalizer && normalizer.type !== 'NFC') return undefined;
  if (added.some((token) => token.lstrip || token.rstrip || token.single_word)) return undefined;
  const pattern = patternOf(steps(definition.pre_tokenizer));
  if (pattern === undefined) return undefined;
  try {
    return {
      added: [added.filter((token) => !token.normalized), added.filter((token) => token.normalized)]
        .filter((tokens) => tokens.length > 0)
        .map(literals),
      words: new RegExp(pattern, 'gu'),
      takesLetters: lettersFirst.some((beginning) => pattern.startsWith(beginning)),
    };
  } catch {
    // A cut in a dialect that JavaScript does not know.
    return undefined;
  }
}

type Step = Readonly<Record<string, unknown>>;

function steps(preTokenizer: unknown): readonly Step[] {
  if (!isStep(preTokenizer)) return [];
  if (preTokenizer.type !== 'Sequence') return [preTokenizer];
  return Array.isArray(preTokenizer.pretokenizers) ? preTokenizer.pretokenizers.filter(isStep) : [];
}

function isStep(value: unknown): value is Step {
  return typeof value === 'object' && value !== null;
}

function patternOf(cut: readonly Step[]): string | undefined {
  const [first, second, ...more] = cut;
  if (!first || more.length > 0) return undefined;
  if (!second) return isByteLevel(first, true) ? gpt2 : undefined;
  if (first.type === 'Digits' && first.individual_digits === true && isByteLevel(second, true)) return gpt2Digits;
  if (first.type === 'Split' && isByteLevel(second, false)) {
    const { pattern, behavior, invert } = first;
    if (behavior !== 'Isolated' || invert === true || !isStep(pattern) || typeof pattern.Regex !== 'string')
      return undefined;
    return pattern.Regex;
  }
  return undefined;
}

function isByteLevel({ type, add_prefix_space, use_regex }: Step, regex: boolean): boolean {
  return type === 'ByteLevel' && add_prefix_space === false && (use_regex ?? true) === regex;
}

/** The leftmost, and of those the longest. */
function literals(tokens: readonly AddedTokenFlags[]): RegExp {
  const longestFirst = tokens.map(({ content }) => content).sort((a, b) => b.length - a.length);
  return new RegExp(longestFirst.map((text) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|'), 'gu');
}

const ascii = /^[\t\n\r\x20-\x7e]*$/;

/**
 * Characters of which every version of Unicode since 2017 says alike whether they are letters, numbers or space, and
 * that are no special case anywhere: Latin without the long s, combining marks, Greek, Cyrillic, punctuation, symbols, kana,
 * ideographs, Hangul, full-width forms, emoji.
 */
const settledRanges: readonly (readonly [first: number, last: number])[] = [
  [0x09, 0x0a],
  [0x0d, 0x0d],
  [0x20, 0x7e],
  [0xa0, 0x17e],
  [0x180, 0x24f],
  [0x300, 0x36f],
  [0x370, 0x3ff],
  [0x400, 0x52f],
  [0x200b, 0x200d],
  [0x2010, 0x2027],
  [0x2030, 0x205e],
  [0x20a0, 0x20bf],
  [0x2190, 0x2bff],
  [0x3000, 0x303f],
  [0x3041, 0x30ff],
  [0x3400, 0x4db5],
  [0x4e00, 0x9fea],
  [0xac00, 0xd7a3],
  [0xfe0f, 0xfe0f],
  [0xff01, 0xff5e],
  [0x1f000, 0x1faff],
];

const settled = new RegExp(
  `^[${settledRanges.map((range) => range.map((code) => `\\u{${code.toString(16)}}`).join('-')).join('')}]*$`,
  'u',
);

/** Whether JavaScript and the crate see the same words in a text. */
export function isSettled(text: string, nfc: boolean): boolean {
  return ascii.test(text) || (settled.test(text) && (!nfc || text.normalize('NFC') === text));
}
