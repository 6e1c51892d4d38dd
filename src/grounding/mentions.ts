import { type DateMention, findDates } from './dates.ts';
import { findNumbers, type NumberMention } from './numbers.ts';

/** -1 down, 0 unchanged, 1 up. */
export type Polarity = -1 | 0 | 1;

export type Mention =
  | NumberMention
  | DateMention
  | NameMention
  | DirectionMention
  | ExtremeMention
  | SuperlativeMention
  | PeriodMention;

export interface NameMention extends Span {
  readonly type: 'name';
}

/** A word that says which way something went: `rose`, `loss`, `little changed`. */
export interface DirectionMention extends Span {
  readonly type: 'direction';
  readonly polarity: Polarity;
  /** `unchanged` leaves no room; `little changed` does. */
  readonly strict: boolean;
}

/** The assertion of a new high or low: `a new 12-month high`, `hit its low`. */
export interface ExtremeMention extends Span {
  readonly type: 'extreme';
  readonly polarity: 1 | -1;
  readonly period: Period | null;
  /** `record`, `all-time`: no number of months proves it. */
  readonly record: boolean;
}

/** `biggest gain`, `longest streak` */
export interface SuperlativeMention extends Span {
  readonly type: 'superlative';
  readonly noun: 'gain' | 'fall' | 'streak' | 'change';
  readonly most: boolean;
  readonly period: Period | null;
}

/** `12-month` and the like, standing before something else. No claim by itself, unless the facts know no such period. */
export interface PeriodMention extends Span {
  readonly type: 'period';
  readonly period: Period;
}

export interface Period {
  readonly count: number;
  readonly unit: 'day' | 'week' | 'month' | 'quarter' | 'year';
}

export interface Span {
  readonly start: number;
  readonly end: number;
}

const upWords =
  'edged up|ticked up|inched up|crept up|moved up|picked up|went up|edging up|rose|rise|rises|rising|risen|gain|gains|gained|gaining|up|higher|climb|climbs|climbed|climbing|advance|advances|advanced|advancing|jump|jumps|jumped|jumping|surge|surges|surged|surging|soar|soared|soaring|rally|rallies|rallied|rallying|rebound|rebounds|rebounded|rebounding|recovered|recovery|increase|increases|increased|increasing|added|adding|firmed|strengthened|grew|growth|upward|upwards|winning';
const downWords =
  'edged down|ticked down|inched down|moved down|went down|gave up|giving up|fell|fall|falls|falling|fallen|loss|losses|lost|lose|loses|losing|down|lower|decline|declines|declined|declining|drop|drops|dropped|dropping|slid|slide|slides|sliding|slip|slips|slipped|slipping|tumble|tumbles|tumbled|tumbling|plunge|plunged|plunging|sank|sink|sunk|sinking|shed|sheds|shedding|decrease|decreases|decreased|decreasing|eased|easing|retreat|retreated|retreating|weakened|weakening|slumped|slump|downward|downwards';
const flatWords =
  'little changed|hardly changed|barely changed|barely moved|hardly moved|held steady|steady|flat|sideways|stable|unchanged|no change';
const directionWord = new RegExp(`\\b(?:(?<up>${upWords})|(?<down>${downWords})|(?<flat>${flatWords}))\\b`, 'giu');
/** Words before which `up` and `down` say nothing about a direction, and `lower`, `rise` ... are something else. */
const noDirection =
  /\b(?:end(?:ed|ing|s)?|made|mak(?:e|es|ing)|set|summ?(?:ed|ing|s)?|follow(?:ed|ing)?|add(?:s|ed|ing)?|broke|break(?:s|ing)?|backed|wr[ao]pp?(?:ed|ing|s)?|back|and)\s$/iu;

const period =
  '(?:(?<count>\\d{1,3}|one|two|three|four|five|six|nine|ten|twelve)[-\\s](?<unit>day|week|month|quarter|year)|(?<word>yearly|annual|monthly|weekly|quarterly))';
const extreme = new RegExp(
  `\\b(?:(?:an?|another)\\s(?:(?:new|fresh)\\s)?(?:(?<record>record|all-time)\\s)?(?:${period}[-\\s])?|(?:new|fresh)\\s(?:(?<record2>record|all-time)\\s)?(?:${period.replaceAll('(?<', '(?<n')}[-\\s])?|(?<record3>record|all-time)\\s|(?:hit|hits|hitting|set|sets|setting|reached|reaching|touched|touching|made|marked|marking|notched)\\s(?:its|the|their)\\s(?:${period.replaceAll('(?<', '(?<h')}[-\\s])?)(?<side>highs?|lows?)\\b`,
  'giu',
);
const superlative = new RegExp(
  `\\b(?<degree>biggest|largest|greatest|steepest|sharpest|strongest|best|worst|heaviest|longest|smallest|weakest)\\s(?:(?:${period})[-\\s])?(?:monthly\\s)?(?:winning\\s|losing\\s)?(?<noun>${upWords}|${downWords}|change|move|streak|run|month)\\b(?:\\s(?:of|in|over|for|during)\\s(?:the\\s)?(?:(?:past|last)\\s)?(?<span>\\d{1,3}|one|two|three|four|five|six|nine|ten|twelve)\\s(?<spanUnit>day|week|month|quarter|year)s?)?`,
  'giu',
);
const standingPeriod = new RegExp(
  `\\b${period}\\b|\\b(?:past|last|previous|trailing|over|within|in)\\s(?:the\\s(?:past\\s|last\\s)?)?(?<pcount>\\d{1,3}|twelve|six|three)\\s(?<punit>day|week|month|quarter|year)s\\b`,
  'giu',
);

const words: Readonly<Record<string, number>> = {
  one: 1,
  two: 2,
  three: 3,
  four: 4,
  five: 5,
  six: 6,
  nine: 9,
  ten: 10,
  twelve: 12,
};

/**
 * Everything in a text that can be checked, in order and without overlaps. Where two readings compete for the same words,
 * the one that explains more of them wins: a date before a number, a new high before the number of its months.
 * @param knownNames Names that count even at the start of a sentence.
 */
export function findMentions(text: string, knownNames: ReadonlySet<string>): Mention[] {
  const taken: Mention[] = [];
  const claim = (mentions: Iterable<Mention>): void => {
    for (const mention of mentions)
      if (!taken.some((other) => mention.start < other.end && other.start < mention.end)) taken.push(mention);
  };
  claim(findSuperlatives(text));
  claim(findExtremes(text));
  claim(findDates(text));
  claim(findPeriods(text));
  claim(findNumbers(text));
  claim(findDirections(text));
  claim(findNames(text, knownNames));
  return taken.sort((a, b) => a.start - b.start);
}

function* findDirections(text: string): Generator<DirectionMention> {
  for (const match of text.matchAll(directionWord)) {
    const word = match[0].toLowerCase();
    const before = lookBack(text, match.index);
    if ((word === 'up' || word === 'down') && noDirection.test(before) && !/\band\s$/iu.test(before)) continue;
    if (
      /^(?:fall)$/u.test(word) &&
      /\b(?:in|the|this|last)\s$/iu.test(before) &&
      /^\sof\s(?:19|20)\d\d/u.test(text.slice(match.index + 4, match.index + 20))
    )
      continue;
    yield {
      type: 'direction',
      start: match.index,
      end: match.index + match[0].length,
      polarity: match.groups?.up ? 1 : match.groups?.down ? -1 : 0,
      strict: word === 'unchanged' || word === 'no change',
    };
  }
}

function* findExtremes(text: string): Generator<ExtremeMention> {
  for (const match of text.matchAll(extreme)) {
    const part = match.groups ?? {};
    // `below a 12-month high of 130` names the high; it does not claim a new one.
    const before = lookBack(text, match.index);
    if (
      !/\b(?:new|fresh)\b/iu.test(match[0]) &&
      /\b(?:below|above|under|from|off|between|of|near|than)\s$/iu.test(before)
    )
      continue;
    yield {
      type: 'extreme',
      start: match.index,
      end: match.index + match[0].length,
      polarity: part.side?.toLowerCase().startsWith('h') ? 1 : -1,
      period:
        readPeriod(part.count, part.unit, part.word) ??
        readPeriod(part.ncount, part.nunit, part.nword) ??
        readPeriod(part.hcount, part.hunit, part.hword),
      record: (part.record ?? part.record2 ?? part.record3) !== undefined,
    };
  }
}

export function* findSuperlatives(text: string): Generator<SuperlativeMention> {
  for (const match of text.matchAll(superlative)) {
    const part = match.groups ?? {};
    const noun = (part.noun ?? '').toLowerCase();
    const degree = (part.degree ?? '').toLowerCase();
    yield {
      type: 'superlative',
      start: match.index,
      end: match.index + match[0].length,
      noun: /^(?:streak|run)$/u.test(noun)
        ? 'streak'
        : noun === 'month'
          ? degree === 'worst'
            ? 'fall'
            : 'gain'
          : /^(?:change|move)$/u.test(noun)
            ? 'change'
            : polarityOf(noun) === 1
              ? 'gain'
              : 'fall',
      most: degree !== 'smallest' && degree !== 'weakest',
      period: readPeriod(part.count, part.unit, part.word) ?? readPeriod(part.span, part.spanUnit, undefined),
    };
  }
}

/** As much of what stands before as any rule looks at: whole texts would cost the square of their length. */
export function lookBack(text: string, at: number): string {
  return text.slice(Math.max(0, at - 60), at);
}

function polarityOf(word: string): Polarity {
  return new RegExp(`^(?:${upWords})$`, 'iu').test(word) ? 1 : -1;
}

function* findPeriods(text: string): Generator<PeriodMention> {
  for (const match of text.matchAll(standingPeriod)) {
    const part = match.groups ?? {};
    const period = readPeriod(part.count ?? part.pcount, part.unit ?? part.punit, part.word);
    // `a 3-month winning streak` counts the streak, `3 months` alone is an amount of time: both are numbers.
    const end = match.index + match[0].length;
    const after = text.slice(end, end + 40);
    if (!period || /^\s(?:\w+\s)?(?:streak|run|rally|slide)\b/iu.test(after)) continue;
    if (part.count !== undefined && /^s\b/iu.test(after)) continue;
    if (part.word !== undefined) continue;
    yield { type: 'period', start: match.index, end: match.index + match[0].length, period };
  }
}

function readPeriod(count: string | undefined, unit: string | undefined, word: string | undefined): Period | null {
  if (word !== undefined) {
    const unitOf = { yearly: 'year', annual: 'year', monthly: 'month', weekly: 'week', quarterly: 'quarter' } as const;
    return { count: 1, unit: unitOf[word.toLowerCase() as keyof typeof unitOf] };
  }
  if (count === undefined || unit === undefined) return null;
  return { count: words[count.toLowerCase()] ?? Number(count), unit: unit.toLowerCase() as Period['unit'] };
}

/** Capitalised words that are no names: what sentences begin with, and what newsrooms write in capitals. */
const noNames = new Set(
  (
    'A An The This That These Those It Its In On At By For From To Of And But Or Nor As With After Before Since While When Where Over Under Above Below During Despite Although Though However Still Yet Shares Share Stock Stocks Prices Price Trading Investors Analysts Traders Overall Meanwhile Now Then Here There Their They He She We You I Both Each All Some Most Many No Not Only Just Previous Previously Compared Closing Close Last Next Year Month Monthly Market Markets Company Direction Change Percent High Low Streak Note Summary Brief Facts Report Please Sure Based Given According Additionally Also Finally Moreover Thus Therefore Hence So If Was Is Are Were Has Had Have Up Down Flat New One Two Three What Which Who How Why Yes Write Revenue Revenues Sales Profit Profits Earnings Volume Volumes Income Margin Margins Growth Costs Demand Momentum Sentiment Equities Bonds Gains Losses ' +
    'CEO CFO US USA UK EU USD EUR GBP JPY CHF YTD EPS IPO ETF GDP PE NYSE NASDAQ OK JSON'
  ).split(' '),
);
const properName = /(?<![\w&.])(?:[A-Z][\w&]*(?:\.(?=[A-Z])[\w&]+)*)(?:[ ](?:[A-Z][\w&]*))*(?:[ ]500)?/gu;

/**
 * Names: capitalised words inside a sentence, and words in capitals anywhere. A word that only begins a sentence counts when
 * it is known, is in capitals, or is followed by `'s`, a further capitalised word or a word of direction.
 */
function* findNames(text: string, knownNames: ReadonlySet<string>): Generator<NameMention> {
  for (const match of text.matchAll(properName)) {
    let start = match.index;
    let name = match[0];
    const begins = start === 0 || /[.!?:\n"“(*•-]\s{0,8}$/u.test(lookBack(text, start));
    // `The Apple` and `Shares AAPL`: leave out what is no name.
    for (let first = name.split(' ')[0] ?? ''; noNames.has(first) && name !== ''; first = name.split(' ')[0] ?? '') {
      const cut = Math.min(name.length, first.length + 1);
      start += cut;
      name = name.slice(cut);
    }
    if (name === '' || /^\d/u.test(name)) continue;
    const inCapitals = /^[A-Z][A-Z&.\d]+$/u.test(name);
    const after = text.slice(start + name.length, start + name.length + 40);
    const isName =
      !begins ||
      start !== match.index ||
      inCapitals ||
      name.includes(' ') ||
      knownNames.has(name.toLowerCase()) ||
      /^['’]s\b/u.test(after) ||
      new RegExp(`^\\s(?:closed|ended|finished|settled|${upWords}|${downWords})\\b`, 'iu').test(after);
    if (isName) yield { type: 'name', start, end: start + name.length };
  }
}
