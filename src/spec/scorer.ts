import type { Claim } from '../schema/report.ts';
import type { Sample } from '../schema/sample.ts';

/** Judges one answer: in evaluation, as a reward, and as a gate. */
export interface Scorer {
  readonly name: string;
  score(request: { readonly sample: Sample; readonly answer: string }): Score | Promise<Score>;
}

export interface Score {
  /** One number a metric: 0 or 1 for yes and no, a count, or a share. */
  readonly values: Readonly<Record<string, number>>;
  readonly claims?: readonly Claim[];
}
