import { currentWay, inGroup, previousWay } from './concepts.ts';
import { type DateMention, dateFollows, datesDiffer, formatDate, monthBefore } from './dates.ts';
import type { Fact } from './facts.ts';
import type { Judging, Verdict } from './judging.ts';
import {
  type DirectionMention,
  type ExtremeMention,
  findSuperlatives,
  type NameMention,
  type Period,
  type PeriodMention,
  type SuperlativeMention,
} from './mentions.ts';
import { isNegated, type MentionContext } from './sentence.ts';

const supported = (fact: string, reason: string): Verdict => ({ verdict: 'supported', fact, reason });
const contradicted = (fact: string, reason: string): Verdict => ({ verdict: 'contradicted', fact, reason });
const notFound = (reason: string): Verdict => ({ verdict: 'not-found', fact: null, reason });
const wayWords = { '1': 'up', '0': 'flat', '-1': 'down' } as const;

/** Where facts tell of several subjects: the object whose name the sentence mentions last before (or else after) the claim. */
export function subjectGroup(context: MentionContext, judging: Judging): string | undefined {
  const { names, mention } = context;
  const nearest = names.findLast((name) => name.start <= mention.start) ?? names[0];
  if (!nearest) return undefined;
  return factNamed(context.answer.slice(nearest.start, nearest.end), judging)?.group;
}

function factNamed(name: string, { known, profile }: Judging): Fact | undefined {
  const wanted = plainName(name);
  const symbols = Object.entries(profile.aliases)
    .filter(([symbol, others]) => [symbol, ...others].some((other) => plainName(other) === wanted))
    .map(([symbol]) => symbol.toLowerCase());
  const texts = known.all.filter((fact) => fact.number === null && fact.date === null);
  return (
    texts.find((fact) => plainName(fact.text) === wanted || symbols.includes(fact.text.toLowerCase())) ??
    texts.find((fact) => ` ${plainName(fact.text)} `.includes(` ${wanted} `))
  );
}

function plainName(name: string): string {
  return name
    .toLowerCase()
    .replace(/[,.]?\s(?:inc|corp|corporation|co|ltd|plc|ag|sa|nv|shares|stock)\.?$/u, '')
    .trim();
}

export function judgeName(context: MentionContext<NameMention>, judging: Judging): Verdict {
  const fact = factNamed(context.text, judging);
  if (fact) return supported(fact.path, `The facts name ${fact.text} (${fact.path}).`);
  const wanted = plainName(context.text);
  const other = Object.entries(judging.profile.aliases).find(([symbol, names]) =>
    [symbol, ...names].some((name) => plainName(name) === wanted),
  );
  const subject = judging.known.all.find((candidate) => /^(?:symbol|ticker|company|name)$/u.test(candidate.key));
  return other && subject
    ? contradicted(subject.path, `The facts are about ${subject.text}, not ${other[0]}.`)
    : notFound(`The facts name no ${context.text}.`);
}

export function judgeDate(context: MentionContext<DateMention>, judging: Judging): Verdict {
  const { date } = context.mention;
  // `rose 3.19 from 2005` measures from another time, or means a price; it does not say that this is 2005.
  if (date.month === undefined && /\b(?:from|against|versus|than|compared (?:with|to)) $/u.test(context.before))
    return notFound(`No fact is of ${context.text}.`);
  const dated = judging.known.all.filter((fact) => fact.date !== null);
  const fact = dated.find((candidate) => candidate.date && dateFollows(date, candidate.date));
  if (fact) return supported(fact.path, `The facts give ${fact.path} as ${fact.text}.`);
  const [only] = dated;
  if (!only?.date) return notFound('The facts give no date.');
  if (date.weekday !== undefined) return notFound('The facts name no day of the week.');
  const before = monthBefore(only.date);
  const isEarlier = /\b(?:from|after|since|against|versus|than|compared (?:with|to)|following|of)\b[^;]*$/u.test(
    context.before,
  );
  const previous = judging.known.stated('previous')[0];
  if (isEarlier && previous && before && dateFollows(date, before))
    return supported(previous.path, `It is the month before ${only.text}.`);
  if (isEarlier || dated.length > 1 || !datesDiffer(date, only.date))
    return notFound(`No fact is dated ${formatDate(date)}.`);
  return contradicted(only.path, `The facts are about ${only.text}, not ${formatDate(date)}.`);
}

const pastMoves =
  /(?:\b(?:end(?:s|ed|ing)|br[eo]k\w*|snap\w*|halt\w*|stopp?\w*) (?:a|an|its|the|their|that|N)\b|\b(?:after|following|revers\w+)\b)[^;.,()]*$/u;
/** A move that is measured from the high or low: `down 3% from its 12-month high`. */
const fromExtreme = /^s?(?: [NP])?(?: \([NP]\))? (?:from|than|on) (?:[a-z' ]*)(?:M )?(?<side>high|peak|low)\b/u;

export function judgeDirection(context: MentionContext<DirectionMention>, judging: Judging): Verdict | undefined {
  const { mention, before, after, text } = context;
  const group = subjectGroup(context, judging);
  const reference = fromExtreme.exec(after)?.groups?.side;
  if (reference !== undefined) {
    const isHigh = reference !== 'low';
    const extreme = inGroup(judging.known.stated(isHigh ? 'high' : 'low'), group);
    const close = inGroup(judging.known.stated('close'), group);
    if (extreme?.number == null || close?.number == null) return notFound(`The facts give no ${reference}.`);
    const holds = mention.polarity === Math.sign(close.number - extreme.number);
    const reason = `The close is ${close.text}, the ${reference} ${extreme.text}.`;
    return holds ? supported(extreme.path, reason) : contradicted(extreme.path, reason);
  }
  // `after rising 9%` tells of this month, `after rising in February` of the one before.
  const isPast = pastMoves.test(before) && !/^(?: (?:by|of|to))? ?[NP]/u.test(after);
  const way = isPast ? previousWay(judging.known, group) : currentWay(judging.known, group);
  if (!way) return notFound(`The facts do not say which way it went${isPast ? ' before' : ''}.`);
  const follows = mention.polarity === way.polarity;
  // The facts may call a small move flat; its sign is still true. `unchanged` is true of no move at all.
  const holds =
    mention.strict && way.sign !== null
      ? way.sign === 0
      : follows || (way.polarity === 0 && way.sign === mention.polarity);
  const said = wayWords[way.polarity];
  const reason = `The facts give ${way.fact.path} as ${way.fact.text}${way.fact.text === said ? '' : `: ${said}${isPast ? ' before' : ''}`}.`;
  return holds !== isNegated(before)
    ? supported(way.fact.path, reason)
    : contradicted(way.fact.path, `"${text}" is wrong. ${reason}`);
}

export function judgeExtreme(context: MentionContext<ExtremeMention>, judging: Judging): Verdict {
  const { mention, text } = context;
  const side = mention.polarity === 1 ? 'high' : 'low';
  const group = subjectGroup(context, judging);
  const extreme = inGroup(judging.known.stated(side), group);
  const close = inGroup(judging.known.stated('close'), group);
  if (extreme?.number == null || close?.number == null) return notFound(`The facts give no ${side}.`);
  const reason = `The close is ${close.text}, the ${side} ${extreme.text}.`;
  if ((close.number === extreme.number) === isNegated(context.before)) return contradicted(extreme.path, reason);
  if (mention.record) return notFound(`The facts do not reach back far enough for "${text}".`);
  if (mention.period && !knowsPeriod(mention.period, judging))
    return notFound(`The facts speak of no such period as in "${text}".`);
  return supported(extreme.path, reason);
}

export function judgeSuperlative(context: MentionContext<SuperlativeMention>, judging: Judging): Verdict {
  const { mention, text } = context;
  const fact = judging.known.all.find((candidate) =>
    [...findSuperlatives(candidate.text)].some((other) => other.noun === mention.noun && other.most === mention.most),
  );
  if (!fact) return notFound(`No fact calls it the ${text.replace(/\s+/gu, ' ')}.`);
  if (mention.period && !knowsPeriod(mention.period, judging))
    return notFound(`The facts speak of no such period as in "${text}".`);
  return supported(fact.path, `The facts give ${fact.path} as ${fact.text}.`);
}

/** A period that the facts know is part of a fact's name, and no claim of its own. */
export function judgePeriod(context: MentionContext<PeriodMention>, judging: Judging): Verdict | undefined {
  return knowsPeriod(context.mention.period, judging)
    ? undefined
    : notFound(`The facts speak of no such period as ${context.text}.`);
}

const monthsIn = { day: 12 / 365, week: 12 / 52, month: 1, quarter: 3, year: 12 } as const;

function knowsPeriod(period: Period, { known, profile }: Judging): boolean {
  const months = period.count * monthsIn[period.unit];
  const named = known.all.flatMap((fact) => (fact.key.match(/\d+/gu) ?? []).map(Number));
  // A bare number in a key is taken for months, 52 for the weeks of a year.
  const inFacts = named.length > 0 ? named.map((count) => (count === 52 ? 12 : count)) : [profile.periodMonths];
  return (
    inFacts.some((count) => Math.abs(count - months) < 0.01) || (named.includes(period.count) && period.count > 12)
  );
}
