import { inGroup } from './concepts.ts';
import type { Fact } from './facts.ts';
import { subjectGroup } from './judge.ts';
import type { Judging, Verdict } from './judging.ts';
import type { NumberMention } from './numbers.ts';
import type { Cue } from './profile.ts';
import { type Hedge, type MentionContext, splitHedge } from './sentence.ts';

type NumberContext = MentionContext<NumberMention>;

export function judgeNumber(context: NumberContext, judging: Judging): Verdict {
  const { known } = judging;
  const { hedge, before } = splitHedge(context.before);
  const cue = judging.profile.cues.find((candidate) => fits(candidate, context, before));
  const level = judgeLevel(context, judging);
  if (cue) {
    const verdict = judgeBound({ context, cue, hedge }, judging);
    // `climbed over 100` is a level as much as an amount: one of the readings must hold.
    return verdict.verdict !== 'supported' && level?.verdict === 'supported' && hedge !== 'none' ? level : verdict;
  }
  if (level) return level;
  const unit = context.mention.percent ? 'percent' : 'other';
  // Nothing says what it is about, so a single digit must be the fact itself: any small figure rounds to some 1.
  const { value, unitOfLastDigit } = context.mention;
  const isVague = value < 10 * unitOfLastDigit;
  const same = known.all.filter(
    (fact) =>
      (unitOf(fact, judging) ?? unit) === unit &&
      agrees(context.mention, fact.number, { hedge, atMost: false }) &&
      (!isVague || Math.abs(fact.number ?? 0) === value),
  );
  const fact = inGroup(same, subjectGroup(context, judging));
  return fact
    ? { verdict: 'supported', fact: fact.path, reason: `The facts give ${fact.path} as ${fact.text}.` }
    : { verdict: 'not-found', fact: null, reason: `No fact gives ${context.text}.` };
}

function fits(cue: Cue, { mention, after }: NumberContext, before: string): boolean {
  // `2.83 losses in a row` is a count too, and a wrong one.
  const countable = !mention.percent && !mention.currency;
  if (
    cue.of === 'percent' ? !mention.percent : cue.of === 'count' ? !countable : cue.of === 'amount' && mention.percent
  )
    return false;
  if (mention.ordinal && cue.ordinal !== true && cue.concept !== 'streak' && cue.concept !== 'prior streak')
    return false;
  if (cue.ordinal !== undefined && cue.ordinal !== mention.ordinal) return false;
  if (cue.signed && mention.sign === 0) return false;
  return (cue.before?.test(before) ?? true) && (cue.after?.test(after) ?? true);
}

function judgeBound(
  { context, cue, hedge }: { readonly context: NumberContext; readonly cue: Cue; readonly hedge: Hedge },
  judging: Judging,
): Verdict {
  const { mention } = context;
  const about = judging.profile.labels[cue.concept] ?? `the ${cue.concept}`;
  const group = subjectGroup(context, judging);
  const pick = (facts: readonly Fact[]): readonly Fact[] => {
    const own = facts.filter((fact) => fact.group === group);
    return own.length > 0 ? own : facts;
  };
  const stated = pick(judging.known.stated(cue.concept));
  const derived = pick(judging.known.derived(cue.concept));
  const bound = { hedge, atMost: cue.atMost ?? false };
  const fact = [...stated, ...derived].find((candidate) => agrees(mention, candidate.number, bound));
  if (fact) {
    const reason = stated.includes(fact)
      ? `The facts give ${fact.path} as ${fact.text}.`
      : `It follows from ${fact.path}.`;
    return { verdict: 'supported', fact: fact.path, reason };
  }
  const [against] = stated.length > 0 ? stated : derived;
  if (!against) return { verdict: 'not-found', fact: null, reason: `The facts say nothing about ${about}.` };
  const value = stated.length > 0 ? against.text : Number(against.text).toFixed(2);
  return {
    verdict: 'contradicted',
    fact: against.path,
    reason: `This is about ${about}, and ${against.path} ${stated.length > 0 ? 'is' : 'make it'} ${value}, not ${context.text}.`,
  };
}

/** `back above 100`: true of the close, and, when it says that the level was crossed, not of the previous close. */
function judgeLevel(context: NumberContext, judging: Judging): Verdict | undefined {
  if (context.mention.percent || context.mention.ordinal) return undefined;
  const match =
    /(?<verb>[UD] |\b(?:back|cross\w*|broke|break\w*|reclaim\w*|mov\w+|clos\w+|stay\w*|rem\w+|h[eo]ld\w*|end\w*|finish\w*)\b[^NP;,]*)?\b(?<side>above|over|past|beyond|below|under|beneath|through)(?: the)? $/u.exec(
      context.before,
    );
  const side = match?.groups?.side;
  if (!match || side === undefined) return undefined;
  const group = subjectGroup(context, judging);
  const close = inGroup(judging.known.stated('close'), group);
  const previous = inGroup(judging.known.stated('previous'), group);
  if (close?.number == null) return undefined;
  const { value } = context.mention;
  const downward = /D $/u.test(match.groups?.verb ?? '');
  const up = side === 'through' ? !downward : /^(?:above|over|past|beyond)$/u.test(side);
  const isBeyond = (price: number): boolean => (up ? price > value : price < value);
  const crossed = /^[UD] |\b(?:back|cross|br[eo]|reclaim)/u.test(match.groups?.verb ?? '');
  const was = previous?.number ?? null;
  const holds = isBeyond(close.number) && !(crossed && was !== null && isBeyond(was));
  const story = was === null ? `the close is ${close.text}` : `the close went from ${previous?.text} to ${close.text}`;
  return {
    verdict: holds ? 'supported' : 'contradicted',
    fact: close.path,
    reason: holds ? `It follows: ${story}.` : `It does not follow: ${story}.`,
  };
}

/**
 * Whether a figure states a fact: equal at the precision it is written with, the sign left to the words unless one is
 * written. `about` rounds to the last digit that is not nought, `more than` and `nearly` are bounds.
 */
export function agrees(
  mention: NumberMention,
  fact: number | null,
  { hedge, atMost }: { readonly hedge: Hedge; readonly atMost: boolean },
): boolean {
  if (fact === null) return false;
  const value = mention.sign === 0 ? Math.abs(fact) : fact;
  const stated = mention.sign === -1 ? -mention.value : mention.value;
  const slack = 1e-9 * Math.max(1, Math.abs(value));
  const unit = hedge === 'about' ? mention.looseUnit : mention.unitOfLastDigit;
  if (Math.abs(value - stated) <= unit / 2 + slack) return true;
  if (atMost) return value <= stated;
  if (hedge === 'more') return value > stated;
  // `nearly 40` is no way of saying 12.
  if (hedge === 'less') return value < stated && value >= stated * 0.9;
  return false;
}

/** A count such as a streak is only stated where a cue says so: any other 2 is not that 2. */
function unitOf(fact: Fact, { known, profile }: Judging): 'percent' | 'count' | 'other' | null {
  const concept = profile.concepts.find(({ id }) => id === known.conceptOf(fact));
  if (concept) return concept.unit === 'percent' || concept.unit === 'count' ? concept.unit : 'other';
  return fact.percent === null ? null : fact.percent ? 'percent' : 'other';
}
