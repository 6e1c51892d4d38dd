/** One line of stocks.csv: a company's price at the turn of a month, US dollars. */
export interface Price {
  readonly symbol: string;
  /** 1 to 12. */
  readonly month: number;
  readonly year: number;
  readonly price: number;
  /** Line in the file, counted from 1. */
  readonly line: number;
}

/** What a brief may say. Every figure is already rounded; `factSheetText` prints it, and nothing rounds it again. */
export interface FactSheet {
  readonly symbol: string;
  /** `March 2010` */
  readonly month: string;
  readonly close: number;
  readonly previous: number;
  /** close - previous. */
  readonly change: number;
  /** Change as a percentage of the previous close. */
  readonly percent: number;
  /** `flat` when the percentage is within half a percent of nothing. */
  readonly direction: 'up' | 'down' | 'flat';
  /** Highest and lowest close of the last twelve months, this one included. */
  readonly high12: number;
  readonly low12: number;
  /** Months in a row in this direction: gains count up, falls count down. 0 when flat. */
  readonly streak: number;
  /** The streak that this month brought to an end, signed alike; 0 when it ended none. */
  readonly prior_streak: number;
  /** How far the close is under the high, in percent of the high. */
  readonly below_high: number;
  /** The most telling thing about the month, in words that a brief can take over. */
  readonly event: string;
}

/** What kind of month it was: the first that holds, in this order. */
export const eventKinds = [
  'new high',
  'new low',
  'flat',
  'reversal',
  'longest streak',
  'biggest gain',
  'biggest fall',
  'above level',
  'below level',
  'near high',
  'near low',
  'far from high',
  'streak',
  'plain',
] as const;
export type EventKind = (typeof eventKinds)[number];

export interface SourcedSheet {
  readonly sheet: FactSheet;
  readonly kind: EventKind;
  /** Line of the price the sheet is about. */
  readonly line: number;
}

const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const historyMonths = 12;
const flatPercent = 0.5;

/** Decimals of each figure: the only place where anything is rounded. */
const decimals = {
  close: 2,
  previous: 2,
  change: 2,
  percent: 1,
  high12: 2,
  low12: 2,
  streak: 0,
  prior_streak: 0,
  below_high: 1,
} as const satisfies Partial<Record<keyof FactSheet, number>>;

function rounded(key: keyof typeof decimals, value: number): number {
  // Half away from zero, as a newsroom rounds; the nudge undoes binary noise such as 1.005 * 100 = 100.49999.
  const scale = 10 ** decimals[key];
  return (Math.sign(value) * Math.round(Math.abs(value) * scale + 1e-9)) / scale + 0;
}

/** A figure as it is printed, with its full decimals: `18.40`. */
export function figure(sheet: FactSheet, key: keyof typeof decimals): string {
  return sheet[key].toFixed(decimals[key]);
}

/** Compact JSON in which every figure has its full decimals, so that a brief can copy it digit for digit. */
export function factSheetText(sheet: FactSheet): string {
  const members = Object.entries(sheet).map(([key, value]) => {
    const text = key in decimals ? figure(sheet, key as keyof typeof decimals) : JSON.stringify(value);
    return `"${key}":${text}`;
  });
  return `{${members.join(',')}}`;
}

/** @throws Error naming the line that is not `symbol,Mon d yyyy,price`. */
export function readPrices(csv: string): Price[] {
  return csv
    .trimEnd()
    .split(/\r?\n/)
    .map((text, index) => ({ text, line: index + 1 }))
    .slice(1)
    .map(({ text, line }) => {
      const match = /^([A-Z]+),([A-Z][a-z]{2}) 1 (\d{4}),(\d+(?:\.\d+)?)$/.exec(text);
      const month = months.findIndex((name) => name.startsWith(match?.[2] ?? '-')) + 1;
      if (!match?.[1] || month === 0)
        throw new Error(`stocks.csv:${line}: expected "MSFT,Jan 1 2000,39.81", found "${text}"`);
      return { symbol: match[1], month, year: Number(match[3]), price: Number(match[4]), line };
    });
}

/** A sheet for every month that has twelve months of history, in file order. */
export function factSheets(prices: readonly Price[]): SourcedSheet[] {
  return [...Map.groupBy(prices, (price) => price.symbol).values()].flatMap((series) => {
    const directions = series.map((price, index) => directionOf(series[index - 1]?.price ?? price.price, price.price));
    const streaks = streaksOf(directions);
    return series.flatMap((price, index) => {
      const previous = series[index - 1];
      if (index + 1 < historyMonths || !previous) return [];
      const from = index + 1 - historyMonths;
      const window = series.slice(from, index + 1).map((item) => item.price);
      const high = Math.max(...window);
      const streak = streaks[index] ?? 0;
      const figures = {
        symbol: price.symbol,
        month: `${months[price.month - 1]} ${price.year}`,
        close: rounded('close', price.price),
        previous: rounded('previous', previous.price),
        change: rounded('change', price.price - previous.price),
        percent: rounded('percent', (price.price / previous.price - 1) * 100),
        direction: directions[index] ?? 'flat',
        high12: rounded('high12', high),
        low12: rounded('low12', Math.min(...window)),
        streak,
        prior_streak: Math.abs(streak) <= 1 ? (streaks[index - 1] ?? 0) : 0,
        below_high: rounded('below_high', (1 - price.price / high) * 100),
      } as const;
      const level = roundNumberBetween(previous.price, price.price);
      const kind = kindOf({ ...figures, level, window, streaksBefore: streaks.slice(from, index) });
      return [{ sheet: { ...figures, event: eventText(kind, { ...figures, level }) }, kind, line: price.line }];
    });
  });
}

function directionOf(previous: number, close: number): FactSheet['direction'] {
  const percent = (close / previous - 1) * 100;
  return Math.abs(percent) < flatPercent ? 'flat' : percent > 0 ? 'up' : 'down';
}

function streaksOf(directions: readonly FactSheet['direction'][]): number[] {
  const streaks: number[] = [];
  for (const direction of directions) {
    const sign = direction === 'up' ? 1 : direction === 'down' ? -1 : 0;
    const last = streaks.at(-1) ?? 0;
    streaks.push(sign !== 0 && Math.sign(last) === sign ? last + sign : sign);
  }
  return streaks;
}

type Figures = Omit<FactSheet, 'event'> & { readonly level: number | undefined };

function kindOf(
  month: Figures & { readonly window: readonly number[]; readonly streaksBefore: readonly number[] },
): EventKind {
  const { close, direction, streak, window, level } = month;
  const before = window.slice(0, -1);
  const changes = window.slice(1).map((price, index) => price / (window[index] ?? price) - 1);
  const change = changes.at(-1) ?? 0;
  if (close > Math.max(...before)) return 'new high';
  if (close < Math.min(...before)) return 'new low';
  if (direction === 'flat') return 'flat';
  if (Math.abs(month.prior_streak) >= 3) return 'reversal';
  if (Math.abs(streak) >= 3 && month.streaksBefore.every((other) => Math.abs(other) < Math.abs(streak)))
    return 'longest streak';
  if (change > 0 && change === Math.max(...changes)) return 'biggest gain';
  if (change < 0 && change === Math.min(...changes)) return 'biggest fall';
  if (level !== undefined) return direction === 'up' ? 'above level' : 'below level';
  if (month.below_high <= 4) return 'near high';
  if (close <= month.low12 * 1.05) return 'near low';
  if (month.below_high >= 25) return 'far from high';
  return Math.abs(streak) >= 2 ? 'streak' : 'plain';
}

function eventText(kind: EventKind, { direction, streak, prior_streak, level }: Figures): string {
  const [same, opposite] = direction === 'up' ? ['gains', 'losses'] : ['losses', 'gains'];
  const texts: Record<EventKind, string> = {
    'new high': 'set a 12-month high',
    'new low': 'hit a 12-month low',
    flat: 'was little changed',
    reversal: `ended ${Math.abs(prior_streak)} ${opposite} in a row`,
    'longest streak': `reached its longest streak of ${Math.abs(streak)} ${same}`,
    'biggest gain': 'had its biggest gain in 12 months',
    'biggest fall': 'had its biggest fall in 12 months',
    'above level': `moved back above ${level}`,
    'below level': `fell below ${level}`,
    'near high': 'stayed close to its 12-month high',
    'near low': 'stayed close to its 12-month low',
    'far from high': 'stayed far below its 12-month high',
    streak: `made it ${Math.abs(streak)} ${same} in a row`,
    plain: 'stayed inside its 12-month range',
  };
  return texts[kind];
}

/** The multiple of 10 (from 100 on, of 100) that was crossed; the highest of several. */
function roundNumberBetween(a: number, b: number): number | undefined {
  const high = Math.max(a, b);
  const step = high >= 100 ? 100 : 10;
  const level = Math.floor(high / step) * step;
  return level > Math.min(a, b) && level < high ? level : undefined;
}
