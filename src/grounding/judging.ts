import type { Claim } from '../schema/report.ts';
import type { KnownFacts } from './concepts.ts';
import type { GroundingProfile } from './profile.ts';

/** What is decided about one mention. */
export type Verdict = Pick<Claim, 'verdict' | 'fact' | 'reason'>;

export interface Judging {
  readonly known: KnownFacts;
  readonly profile: GroundingProfile;
}
