/**
 * What a kind of text speaks about. Facts may have any shape; a profile says which keys mean what, and by which words a text
 * refers to them. Without a matching cue a figure is compared with every fact of its unit.
 */
export interface GroundingProfile {
  readonly name: string;
  readonly concepts: readonly Concept[];
  /** From the most specific to the least: the first that fits a figure says what it is about. */
  readonly cues: readonly Cue[];
  /** The months a high or low of the facts looks back on, where their keys name no number. */
  readonly periodMonths: number;
  /** Other names of what the facts call by one. */
  readonly aliases: Readonly<Record<string, readonly string[]>>;
  /** What follows from two stated facts. */
  readonly formulas: readonly Formula[];
  /** What a concept is called in a reason, where its id with `the` will not do. */
  readonly labels: Readonly<Partial<Record<ConceptId, string>>>;
}

export interface Formula {
  readonly concept: ConceptId;
  readonly of: readonly [ConceptId, ConceptId];
  readonly value: (left: number, right: number) => number;
}

/**
 * Words of direction, new highs and lows, levels and streaks are judged by the concepts of these names, in any profile
 * that has them; other concepts only bind figures.
 */
export type Role =
  | 'close'
  | 'previous'
  | 'change'
  | 'percent'
  | 'direction'
  | 'high'
  | 'low'
  | 'streak'
  | 'prior streak';
export type ConceptId = Role | (string & {});

export interface Concept {
  readonly id: ConceptId;
  /** Matched against a fact's key and path as lower-case words: `high 12`, `streak length`. */
  readonly key: RegExp;
  readonly unit: 'amount' | 'percent' | 'count' | 'text';
}

/**
 * Both expressions see the sentence in lower case with every mention replaced by a capital: N number, P percentage, T date,
 * S name, M period (`12-month`), U, D and F words of direction up, down and flat (Us, Ds: plural nouns), H and L the
 * assertion of a new high or low, X a superlative. `before` ends at the figure, `after` begins behind it.
 */
export interface Cue {
  readonly concept: ConceptId;
  readonly of: 'amount' | 'percent' | 'count' | 'any';
  readonly before?: RegExp;
  readonly after?: RegExp;
  /** Only for `third`, or only for `3` and `three`. */
  readonly ordinal?: boolean;
  /** Only where a sign is written. */
  readonly signed?: boolean;
  /** `within 3%` holds for less as well. */
  readonly atMost?: boolean;
}

/** Verbs that put what follows into the past: `ended a run of`, `after`. */
const past =
  '(?:(?:end(?:s|ed|ing)|br[eo]k\\w*|snap\\w*|halt\\w*|stopp?\\w*) (?:(?:a|an|its|the|their|that|N)\\b|$)|\\b(?:after|following|revers\\w+)\\b)';
const inARow = '(?:in a row|running|straight|on end|in succession|on the trot)';
const counted = `(?: straight| consecutive| successive|(?: monthly)? [UD]s\\b| months? ${inARow}| months? of [UD]s?\\b|-month (?:[UD] )?(?:streak|run|rally|slide|[UD]))`;
const highWords = '(?:high|peak)';
const lowWords = '(?:low|trough)';
const below = '(?:below|under|off|beneath|short of|shy of|away from|from|D from|D than|D on|less than)';
const above = '(?:above|over|off|from|clear of|U from|U than|U on|more than)';
const its = "(?: (?:its|the|their|that|a|recent|T|S's|M|year's|year|twelve-month))*";
const copula = '(?: (?:of|at|is|was|to|stands|stood|came|set|reached|in|T|close|closing))*:? ?';
const moveNoun = '(?:change|moved?|difference|swing)';

/** Share prices and other series of closes: `recipes/market-brief`, and sheets like it. */
export const marketBriefProfile: GroundingProfile = {
  name: 'market-brief',
  periodMonths: 12,
  concepts: [
    {
      id: 'close',
      unit: 'amount',
      key: /^(?:price )?(?:close|closing|closing price|close price|last|last price|price)$/u,
    },
    {
      id: 'previous',
      unit: 'amount',
      key: /^(?:price )?(?:prev(?:ious)?|prior|last month|month ago)(?: close| price| month)?$/u,
    },
    {
      id: 'percent',
      unit: 'percent',
      key: /^(?:(?:change|chg|move) )?(?:percent|percentage|pct|%)(?: change)?$|^return$/u,
    },
    { id: 'change', unit: 'amount', key: /^(?:change|chg|delta|move)(?: abs(?:olute)?| amount)?$/u },
    { id: 'direction', unit: 'text', key: /^(?:change )?(?:direction|dir|trend)$/u },
    {
      id: 'high',
      unit: 'amount',
      key: /^(?:\d+ (?:months? |weeks? )?|year(?:ly)? |one year )?high(?: \d+(?: (?:m|months?|weeks?))?)?$/u,
    },
    {
      id: 'low',
      unit: 'amount',
      key: /^(?:\d+ (?:months? |weeks? )?|year(?:ly)? |one year )?low(?: \d+(?: (?:m|months?|weeks?))?)?$/u,
    },
    { id: 'prior streak', unit: 'count', key: /^(?:prior|previous|ended|last) (?:streak|run)(?: length| months)?$/u },
    { id: 'streak', unit: 'count', key: /^(?:streak|run)(?: length| months)?$|^months in a row$/u },
    {
      id: 'below high',
      unit: 'percent',
      key: /^(?:distance )?(?:below|from|off|under) (?:the )?high(?: percent| pct)?$|^drawdown$/u,
    },
    { id: 'above low', unit: 'percent', key: /^(?:distance )?(?:above|over) (?:the )?low(?: percent| pct)?$/u },
  ],
  cues: [
    {
      concept: 'prior streak',
      of: 'count',
      before: new RegExp(`${past}[^NP;.]*$`, 'u'),
      after: new RegExp(`^${counted}`, 'u'),
    },
    { concept: 'prior streak', of: 'count', before: new RegExp(`${past}[^NP;.]*(?:run|streak|series) of $`, 'u') },
    { concept: 'streak', of: 'count', after: new RegExp(`^${counted}`, 'u'), ordinal: false },
    {
      concept: 'streak',
      of: 'count',
      after: new RegExp(`^(?:${counted}|(?: monthly)? [UD]\\b| month(?: running| of [UD]s?)?\\b)`, 'u'),
      ordinal: true,
    },
    {
      concept: 'streak',
      of: 'count',
      before: /\b(?:run|streak|series|streak length)(?: (?:of|to|at|now|is|was|stands|reached|extended|its|a))*:? ?$/u,
    },
    { concept: 'streak', of: 'count', before: /\bfor (?:the |a )?$/u, after: /^ months?\b/u },

    {
      concept: 'below high',
      of: 'percent',
      before: /\bwithin $/u,
      after: new RegExp(`^ of${its} ${highWords}`, 'u'),
      atMost: true,
    },
    {
      concept: 'above low',
      of: 'percent',
      before: /\bwithin $/u,
      after: new RegExp(`^ of${its} ${lowWords}`, 'u'),
      atMost: true,
    },
    { concept: 'below high', of: 'percent', after: new RegExp(`^ ${below}${its} ${highWords}`, 'u') },
    { concept: 'below high amount', of: 'amount', after: new RegExp(`^ ${below}${its} ${highWords}`, 'u') },
    { concept: 'above low', of: 'percent', after: new RegExp(`^ ${above}${its} ${lowWords}`, 'u') },
    { concept: 'above low amount', of: 'amount', after: new RegExp(`^ ${above}${its} ${lowWords}`, 'u') },

    {
      concept: 'high',
      of: 'amount',
      before: /(?:\brang\w+|\bbetween|\bband)\b[^N;,]*N ?(?:to|and|-|–) ?(?:a high of )?$/u,
    },
    { concept: 'low', of: 'amount', before: /(?:\brang\w+[^N;,]*|\bbetween(?: a low of)?) $/u },
    { concept: 'high', of: 'amount', before: new RegExp(`(?:\\b${highWords}|H)\\b${copula}$`, 'u') },
    { concept: 'low', of: 'amount', before: new RegExp(`(?:\\b${lowWords}|L)\\b${copula}$`, 'u') },
    { concept: 'high', of: 'amount', after: new RegExp(`^ (?:M )?${highWords}\\b`, 'u') },
    { concept: 'low', of: 'amount', after: new RegExp(`^ (?:M )?${lowWords}\\b`, 'u') },

    {
      concept: 'previous',
      of: 'amount',
      before:
        /\b(?:from|against|versus|vs\.?|compared (?:with|to)|previous(?:ly)?|prior|month-earlier|last month's)(?: (?:a|the|its|of|at|T|T's|previous|prior|earlier|close|closing|price|level|month|month's|last|was))*:? ?$/u,
    },
    {
      concept: 'previous',
      of: 'amount',
      after:
        /^ (?:a|one|N) month (?:earlier|ago|before)|^ (?:the month before|(?:the )?(?:previous|prior|last) month)/u,
    },
    {
      concept: 'close',
      of: 'amount',
      before:
        /\b(?:clos\w+|end\w*|finish\w*|settl\w+|stood|stands|trad\w+|pric\w+|worth|valued)\b[^NP;]*?(?: (?:at|of|was|is|on|to)|:) ?$/u,
    },
    {
      concept: 'close',
      of: 'amount',
      before: /[UDF]\b[^;]*?(?: to| at)(?: close at| a close of| finish at| end at)? $/u,
    },
    { concept: 'close', of: 'amount', before: /^S (?:is |was |traded )?at $/u },

    ...(['change', 'percent'] as const).flatMap((concept): Cue[] => {
      const of = concept === 'change' ? 'amount' : 'percent';
      return [
        { concept, of, before: /[UDF]s?(?: (?:of|by|a|an|total|another|in T))* \(?$/u },
        { concept, of, before: new RegExp(`\\b${moveNoun}\\b[^NP;]*?(?: (?:of|was|is|by|at)|:) ?$`, 'u') },
        {
          concept,
          of,
          before: new RegExp(`(?:[UDF]|${moveNoun})\\b[^NP;]*[NP](?: or|,|, or| \\(| and|/) ?\\(?$`, 'u'),
        },
        { concept, of, after: /^(?: points?| dollars?)? [UDF]\b/u },
        { concept, of, signed: true },
      ];
    }),
  ],
  aliases: {
    AAPL: ['Apple'],
    AMZN: ['Amazon', 'Amazon.com'],
    GOOG: ['Google', 'Alphabet', 'GOOGL'],
    IBM: ['International Business Machines'],
    MSFT: ['Microsoft'],
  },
  formulas: [
    { concept: 'change', of: ['close', 'previous'], value: (close, previous) => close - previous },
    { concept: 'percent', of: ['close', 'previous'], value: (close, previous) => (close / previous - 1) * 100 },
    { concept: 'below high', of: ['close', 'high'], value: (close, high) => (1 - close / high) * 100 },
    { concept: 'below high amount', of: ['close', 'high'], value: (close, high) => high - close },
    { concept: 'above low', of: ['close', 'low'], value: (close, low) => (close / low - 1) * 100 },
    { concept: 'above low amount', of: ['close', 'low'], value: (close, low) => close - low },
  ],
  labels: {
    percent: 'the percentage change',
    previous: 'the previous close',
    'prior streak': 'the streak before',
    'below high': 'the distance from the high',
    'below high amount': 'the distance from the high',
    'above low': 'the distance from the low',
    'above low amount': 'the distance from the low',
  },
};
