export { checkClaims, isGroundedBrief } from './check-claims.ts';
export { type Facts, factsFromMessages } from './facts.ts';
export { type Concept, type Cue, type Formula, type GroundingProfile, marketBriefProfile } from './profile.ts';
export { exactMatchScorer, factsOf, groundingScorer, referenceAnswer } from './scorers.ts';
