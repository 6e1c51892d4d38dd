import type { Claim } from '../schema/report.ts';
import { type KnownFacts, knownFacts } from './concepts.ts';
import type { Facts } from './facts.ts';
import { judgeDate, judgeDirection, judgeExtreme, judgeName, judgePeriod, judgeSuperlative } from './judge.ts';
import { judgeNumber } from './judge-number.ts';
import type { Judging, Verdict } from './judging.ts';
import { findMentions, type Mention } from './mentions.ts';
import { type GroundingProfile, marketBriefProfile } from './profile.ts';
import { contextsOf, type MentionContext } from './sentence.ts';

const kinds = {
  number: 'number',
  date: 'date',
  name: 'name',
  direction: 'direction',
  extreme: 'direction',
  superlative: 'direction',
  period: 'number',
} as const satisfies Record<Mention['type'], Claim['kind']>;

/**
 * Every number, percentage, date, name and word of direction in an answer, and whether the facts bear it out:
 * - `supported`: a fact says so, at the precision stated, or it follows from the facts by arithmetic;
 * - `contradicted`: it is clear which fact is meant, and that says otherwise;
 * - `not-found`: the facts say nothing about it.
 * @returns claims in the order of the text; offsets are UTF-16 units.
 */
export function checkClaims(request: {
  readonly answer: string;
  readonly facts: Facts;
  readonly profile?: GroundingProfile;
}): readonly Claim[] {
  const { answer, facts, profile = marketBriefProfile } = request;
  const judging: Judging = { known: knownFacts(facts, profile), profile };
  const names = new Set(
    [...judging.known.all.map((fact) => fact.text), ...Object.entries(profile.aliases).flat(2)].map((name) =>
      name.toLowerCase(),
    ),
  );
  return contextsOf(answer, findMentions(answer, names)).flatMap((context) => {
    const { mention } = context;
    const verdict = judge(context, judging);
    if (!verdict) return [];
    const kind = mention.type === 'number' && mention.percent ? 'percentage' : kinds[mention.type];
    return [
      { kind, text: answer.slice(mention.start, mention.end), start: mention.start, end: mention.end, ...verdict },
    ];
  });
}

function judge(context: MentionContext, judging: Judging): Verdict | undefined {
  const { mention } = context;
  switch (mention.type) {
    case 'number':
      return judgeNumber({ ...context, mention }, judging);
    case 'date':
      return judgeDate({ ...context, mention }, judging);
    case 'name':
      return judgeName({ ...context, mention }, judging);
    case 'direction':
      return judgeDirection({ ...context, mention }, judging);
    case 'extreme':
      return judgeExtreme({ ...context, mention }, judging);
    case 'superlative':
      return judgeSuperlative({ ...context, mention }, judging);
    case 'period':
      return judgePeriod({ ...context, mention }, judging);
  }
}

/**
 * Whether a brief may stand: it states close, change and direction, makes at least three claims, and the facts
 * support every one.
 */
export function isGroundedBrief(
  claims: readonly Claim[],
  facts: Facts,
  profile: GroundingProfile = marketBriefProfile,
): boolean {
  const known = knownFacts(facts, profile);
  const states = (
    kind: readonly Claim['kind'][],
    concepts: readonly Parameters<KnownFacts['stated']>[0][],
  ): boolean => {
    const paths = new Set(
      concepts.flatMap((concept) => [...known.stated(concept), ...known.derived(concept)]).map((fact) => fact.path),
    );
    return claims.some((claim) => kind.includes(claim.kind) && claim.fact !== null && paths.has(claim.fact));
  };
  return (
    claims.length >= 3 &&
    claims.every((claim) => claim.verdict === 'supported') &&
    states(['number'], ['close']) &&
    states(['number', 'percentage'], ['change', 'percent']) &&
    states(['direction'], ['direction', 'change', 'percent'])
  );
}
