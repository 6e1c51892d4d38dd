/** A figure in a text: digits, words (`three`) or an ordinal (`third`, `3rd`), with what was written about it. */
export interface NumberMention {
  readonly type: 'number';
  readonly start: number;
  readonly end: number;
  /** Without its sign, scaled (`1.2 billion` is 1.2e9). */
  readonly value: number;
  /** The worth of one unit in the last digit written: 0.01 for `18.40`, 1e8 for `1.2 billion`. */
  readonly unitOfLastDigit: number;
  /** What the trailing zeros of a whole number leave open: 10 for `220`; only `about` makes use of it. */
  readonly looseUnit: number;
  /** -1 or 1 where a sign is written, 0 where none is. */
  readonly sign: -1 | 0 | 1;
  readonly percent: boolean;
  readonly currency: boolean;
  readonly ordinal: boolean;
}

const units =
  'one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(
    ' ',
  );
const tens = 'twenty thirty forty fifty sixty seventy eighty ninety'.split(' ');
const ordinals =
  'first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth'.split(
    ' ',
  );
const scales: Readonly<Record<string, number>> = {
  hundred: 1e2,
  thousand: 1e3,
  k: 1e3,
  million: 1e6,
  mn: 1e6,
  m: 1e6,
  billion: 1e9,
  bn: 1e9,
  b: 1e9,
  trillion: 1e12,
  tn: 1e12,
};

const sign = '(?<sign>[+\\-\\u2212])?';
const money = '(?<money>US\\$|[$€£¥]|(?:USD|EUR|GBP|JPY|CHF)\\s)?';
const digits = '(?<whole>\\d{1,3}(?:,\\d{3})+(?!\\d)|\\d+)?(?<fraction>\\.\\d+|,\\d{2}(?![\\d,]))?';
const scale = '(?:\\s?(?<scale>k|mn|m|bn|b|tn)\\b|\\s(?<scaleWord>hundred|thousand|million|billion|trillion)\\b)?';
const tail =
  '(?:(?<percent>\\s?%|[\\s-](?:per\\s?cent|pct)\\b|\\spercentage\\spoints?\\b)|(?<ordinal>st|nd|rd|th)\\b|(?<dollars>\\s(?:dollars|euros|pounds|yen)\\b))?';
// Letters, digits, dots and commas in front mean that the digits are part of something longer (`Q1`, `v1.2`, `1,234`).
const figure = new RegExp(`(?<![\\w.,])${sign}${money}(?<innerSign>[+\\-\\u2212])?${digits}${scale}${tail}`, 'giu');

const cardinalWord = `(?:${tens.join('|')})(?:[\\s-](?:${units.slice(0, 9).join('|')}))?|${[...units].reverse().join('|')}|a\\sdozen|dozen`;
const spelled = new RegExp(
  `\\b(?:(?<ordinal>${[...ordinals].reverse().join('|')})|(?<cardinal>${cardinalWord})(?:\\s(?<scale>hundred|thousand|million|billion))?(?<percent>\\s(?:per\\s?cent|pct)\\b)?)\\b`,
  'giu',
);
/** `one` is a pronoun and `second` a unit of time unless a counted thing follows. */
const counted =
  /^[\s-](?:straight|consecutive|successive|monthly|months?|weeks?|days?|years?|quarters?|gains?|loss(?:es)?|falls?|rises?|declines?|drops?|advances?|increases?|decreases?|points?|dollars?)\b/iu;

/** `doubled` is a rise of 100 %, give or take what the word leaves open. */
const multiples: Readonly<Record<string, number>> = {
  doubled: 100,
  tripled: 200,
  trebled: 200,
  quadrupled: 300,
  halved: 50,
};

function* writtenAsMultiples(text: string): Generator<NumberMention> {
  for (const match of text.matchAll(/\b(?:doubled|tripled|trebled|quadrupled|halved)\b/giu)) {
    const value = multiples[match[0].toLowerCase()] ?? 0;
    yield {
      type: 'number',
      start: match.index,
      end: match.index + match[0].length,
      value,
      unitOfLastDigit: 10,
      looseUnit: 10,
      sign: 0,
      percent: true,
      currency: false,
      ordinal: false,
    };
  }
}

/** All figures of a text, in order. Numbers inside names (`S&P 500`, `10-K`) are left out. */
export function findNumbers(text: string): NumberMention[] {
  return [...writtenInDigits(text), ...writtenInWords(text), ...writtenAsMultiples(text)].sort(
    (a, b) => a.start - b.start,
  );
}

function* writtenInDigits(text: string): Generator<NumberMention> {
  for (const match of text.matchAll(figure)) {
    const part = match.groups ?? {};
    const { whole, fraction } = part;
    if (whole === undefined && fraction === undefined) continue;
    const start = match.index;
    const end = start + match[0].length;
    if (
      /(?:S&P|FTSE|Nikkei|Nasdaq|Russell|Fortune|CAC|DAX|Stoxx|Form)\s$/iu.test(
        text.slice(Math.max(0, start - 12), start),
      )
    )
      continue;
    if (/^-[A-Z]\b/u.test(text.slice(end, end + 3))) continue;
    const plain = `${(whole ?? '0').replaceAll(',', '')}${(fraction ?? '').replace(',', '.')}`;
    const factor = scales[(part.scale ?? part.scaleWord ?? '').toLowerCase()] ?? 1;
    const decimals = fraction === undefined ? 0 : fraction.length - 1;
    const written = part.sign ?? part.innerSign;
    const unit = factor * 10 ** -decimals;
    const zeros = decimals === 0 ? (/[1-9](0*)$/u.exec(plain)?.[1]?.length ?? 0) : 0;
    yield {
      type: 'number',
      start,
      end,
      value: Number(plain) * factor,
      unitOfLastDigit: unit,
      looseUnit: unit * 10 ** zeros,
      sign: written === undefined ? 0 : written === '+' ? 1 : -1,
      percent: part.percent !== undefined,
      currency: part.money !== undefined || part.dollars !== undefined,
      ordinal: part.ordinal !== undefined,
    };
  }
}

function* writtenInWords(text: string): Generator<NumberMention> {
  for (const match of text.matchAll(spelled)) {
    const part = match.groups ?? {};
    const end = match.index + match[0].length;
    const after = text.slice(end, end + 40);
    const word = match[0].toLowerCase();
    if ((word === 'one' || word === 'second' || word === 'first') && !counted.test(after)) continue;
    if (part.ordinal !== undefined && /^\s(?:of|half|place|time)\b/iu.test(after)) continue;
    const factor = scales[part.scale?.toLowerCase() ?? ''] ?? 1;
    const value = part.ordinal === undefined ? cardinalValue(part.cardinal ?? '') * factor : ordinals.indexOf(word) + 1;
    yield {
      type: 'number',
      start: match.index,
      end: match.index + match[0].length,
      value,
      unitOfLastDigit: factor,
      looseUnit: factor,
      sign: 0,
      percent: part.percent !== undefined,
      currency: false,
      ordinal: part.ordinal !== undefined,
    };
  }
}

function cardinalValue(words: string): number {
  return words
    .toLowerCase()
    .split(/[\s-]/u)
    .reduce((sum, word) => {
      if (word === 'dozen') return 12;
      const ten = tens.indexOf(word);
      return sum + (ten >= 0 ? (ten + 2) * 10 : units.indexOf(word) + 1);
    }, 0);
}
