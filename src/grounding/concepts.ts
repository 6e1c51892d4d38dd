import { type Fact, type Facts, keyWords, listFacts } from './facts.ts';
import type { Polarity } from './mentions.ts';
import type { ConceptId, Formula, GroundingProfile } from './profile.ts';

/** The facts in the profile's terms. */
export interface KnownFacts {
  readonly all: readonly Fact[];
  /** Facts that state a concept; where several objects do, one each. */
  stated(concept: ConceptId): readonly Fact[];
  /** What follows by arithmetic, exactly: it backs a claim, and never contradicts a stated fact. */
  derived(concept: ConceptId): readonly Fact[];
  conceptOf(fact: Fact): ConceptId | undefined;
}

export function knownFacts(facts: Facts, profile: GroundingProfile): KnownFacts {
  const all = listFacts(facts);
  const conceptByFact = new Map<Fact, ConceptId>();
  const byConcept = new Map<ConceptId, Fact[]>();
  for (const fact of all) {
    const path = keyWords(fact.path);
    const concept = profile.concepts.find(
      ({ key, unit }) => (key.test(fact.key) || key.test(path)) && (unit === 'text' || fact.number !== null),
    );
    if (!concept) continue;
    conceptByFact.set(fact, concept.id);
    byConcept.set(concept.id, [...(byConcept.get(concept.id) ?? []), fact]);
  }
  const stated = (concept: ConceptId): readonly Fact[] => byConcept.get(concept) ?? [];
  const derived = (concept: ConceptId): readonly Fact[] =>
    profile.formulas.filter((formula) => formula.concept === concept).flatMap((formula) => derive(formula, stated));
  return { all, stated, derived, conceptOf: (fact) => conceptByFact.get(fact) };
}

function derive(formula: Formula, stated: (concept: ConceptId) => readonly Fact[]): Fact[] {
  const [left, right] = formula.of;
  return stated(left).flatMap((a) => {
    const b = stated(right).find((fact) => fact.group === a.group);
    if (a.number === null || !b?.number) return [];
    const number = formula.value(a.number, b.number);
    const path = `${a.path}, ${b.path}`;
    return [{ ...a, path, key: formula.concept, text: String(number), number, percent: null }];
  });
}

/** Which way the facts say it went, and the fact that says so. */
export interface Way {
  readonly polarity: Polarity;
  readonly fact: Fact;
  /** The sign of the change, where it is known. */
  readonly sign: Polarity | null;
}

export function currentWay(known: KnownFacts, group?: string): Way | undefined {
  const pick = (concept: ConceptId): Fact | undefined => inGroup(known.stated(concept), group);
  const change = pick('change') ?? pick('percent') ?? inGroup(known.derived('change'), group);
  const sign = change?.number == null ? null : (Math.sign(change.number) as Polarity);
  const direction = pick('direction');
  const polarity = direction && polarityOfText(direction.text);
  if (direction && polarity !== undefined) return { polarity, fact: direction, sign };
  return change && sign !== null ? { polarity: sign, fact: change, sign } : undefined;
}

/** Which way it went the month before: the streak that ended, or the one that goes on. */
export function previousWay(known: KnownFacts, group?: string): Way | undefined {
  const now = currentWay(known, group);
  const prior = inGroup(known.stated('prior streak'), group);
  if (prior?.number) {
    // Streaks may be written without a sign; then one that ended went the other way.
    const polarity = prior.number < 0 ? -1 : now && now.polarity !== 0 ? (-now.polarity as Polarity) : 1;
    return { polarity, fact: prior, sign: null };
  }
  const streak = inGroup(known.stated('streak'), group);
  return streak?.number && Math.abs(streak.number) >= 2 && now
    ? { polarity: now.polarity, fact: streak, sign: null }
    : undefined;
}

export function inGroup(facts: readonly Fact[], group: string | undefined): Fact | undefined {
  return (group === undefined ? undefined : facts.find((fact) => fact.group === group)) ?? facts[0];
}

function polarityOfText(text: string): Polarity | undefined {
  if (/^(?:up|rise|rising|gain|higher|positive|\+)/iu.test(text)) return 1;
  if (/^(?:down|fall|falling|loss|lower|negative|-)/iu.test(text)) return -1;
  return /^(?:flat|unchanged|none|steady|little changed)/iu.test(text) ? 0 : undefined;
}
