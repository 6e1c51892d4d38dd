/** A day, month, quarter or year, as far as it is written out. */
export interface PartialDate {
  readonly year?: number;
  /** 1 to 4. */
  readonly quarter?: number;
  /** 1 to 12. */
  readonly month?: number;
  readonly day?: number;
  /** 0 for Sunday. */
  readonly weekday?: number;
}

export interface DateMention {
  readonly type: 'date';
  readonly start: number;
  readonly end: number;
  readonly date: PartialDate;
}

const monthNames = 'january february march april may june july august september october november december'.split(' ');
const monthWord =
  '(?<month>January|February|March|April|May|June|July|August|September|October|November|December|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\\b\\.?)';
const weekdays = 'sunday monday tuesday wednesday thursday friday saturday'.split(' ');
const year = '(?<year>(?:19|20)\\d{2})(?![\\d%]|[.,]\\d)';
const day = '(?<day>[12]?\\d|3[01])(?:st|nd|rd|th)?';
const ordinalQuarter = '(?<quarterWord>first|second|third|fourth)[\\s-]quarter';

/** From the fullest writing to the barest; where two overlap, the earlier in this list wins. */
const writings: readonly RegExp[] = [
  /(?<![\w-])(?<year>(?:19|20)\d{2})-(?<monthNumber>0[1-9]|1[0-2])(?:-(?<day>0[1-9]|[12]\d|3[01]))?(?![\w-])/gu,
  /(?<![\w/])(?<monthNumber>0?[1-9]|1[0-2])\/(?<year>(?:19|20)\d{2})(?![\w/])/gu,
  new RegExp(`(?<![\\w.])${day}\\s(?:of\\s)?${monthWord}(?:,?\\s${year})?\\b`, 'gu'),
  new RegExp(`\\b${monthWord}\\s${day}(?!\\d)(?:,?\\s${year})?`, 'gu'),
  new RegExp(`\\b${monthWord}(?:,?|\\sof)\\s${year}`, 'gu'),
  new RegExp(`\\bQ(?<quarter>[1-4])(?:\\s|\\sof\\s)?(?:${year})?`, 'gu'),
  new RegExp(`\\b${ordinalQuarter}(?:\\sof\\s${year})?`, 'giu'),
  new RegExp(`\\b${monthWord}(?!\\w)`, 'gu'),
  new RegExp(`\\b(?<weekday>${weekdays.join('|')})\\b`, 'giu'),
  // After `at` or `to` four digits are a price, not a year.
  new RegExp(`(?<![\\w.,$€£¥+\\-])(?<!\\b(?:at|to)\\s)${year}(?!\\s(?:points|dollars|shares))\\b`, 'gu'),
];

/** All dates of a text, in order, none overlapping. */
export function findDates(text: string): DateMention[] {
  const found: DateMention[] = [];
  for (const writing of writings) {
    for (const match of text.matchAll(writing)) {
      const start = match.index;
      const end = start + match[0].trimEnd().length;
      if (found.some((other) => start < other.end && other.start < end)) continue;
      const date = read(match.groups ?? {});
      // At the start of a sentence `May` and `March` may be verbs.
      if (
        /^(?:May|March)$/u.test(match[0]) &&
        (start === 0 || /[.!?]\s$/u.test(text.slice(Math.max(0, start - 2), start)))
      )
        continue;
      found.push({ type: 'date', start, end, date });
    }
  }
  return found.sort((a, b) => a.start - b.start);
}

function read(part: Readonly<Record<string, string | undefined>>): PartialDate {
  const word = part.month?.slice(0, 3).toLowerCase();
  const month = word ? monthNames.findIndex((name) => name.startsWith(word)) + 1 : Number(part.monthNumber ?? 0);
  const quarterWord = part.quarterWord?.toLowerCase();
  const quarter = quarterWord
    ? ['first', 'second', 'third', 'fourth'].indexOf(quarterWord) + 1
    : Number(part.quarter ?? 0);
  return {
    ...(part.year ? { year: Number(part.year) } : {}),
    ...(quarter > 0 ? { quarter } : {}),
    ...(month > 0 ? { month } : {}),
    ...(part.day ? { day: Number(part.day) } : {}),
    ...(part.weekday ? { weekday: weekdays.indexOf(part.weekday.toLowerCase()) } : {}),
  };
}

/** Whether everything that `stated` says is said, or follows, from `known`: March 2010 is in the first quarter. */
export function dateFollows(stated: PartialDate, known: PartialDate): boolean {
  const quarter = known.quarter ?? (known.month === undefined ? undefined : Math.ceil(known.month / 3));
  return (
    (stated.year === undefined || stated.year === known.year) &&
    (stated.quarter === undefined || stated.quarter === quarter) &&
    (stated.month === undefined || stated.month === known.month) &&
    (stated.day === undefined || stated.day === known.day) &&
    (stated.weekday === undefined || stated.weekday === known.weekday)
  );
}

/** Whether the two cannot both be meant: something both name differs. */
export function datesDiffer(a: PartialDate, b: PartialDate): boolean {
  return (['year', 'quarter', 'month', 'day'] as const).some(
    (part) => a[part] !== undefined && b[part] !== undefined && a[part] !== b[part],
  );
}

/** The month before; undefined unless year and month are known. */
export function monthBefore(date: PartialDate): PartialDate | undefined {
  if (date.year === undefined || date.month === undefined) return undefined;
  return date.month === 1 ? { year: date.year - 1, month: 12 } : { year: date.year, month: date.month - 1 };
}

export function formatDate(date: PartialDate): string {
  const name = date.month === undefined ? undefined : monthNames[date.month - 1];
  const weekday = date.weekday === undefined ? undefined : weekdays[date.weekday];
  const parts = [
    weekday,
    date.day,
    name && `${name.charAt(0).toUpperCase()}${name.slice(1)}`,
    date.quarter && `Q${date.quarter}`,
    date.year,
  ];
  return parts.filter((part) => part !== undefined && part !== 0).join(' ');
}
