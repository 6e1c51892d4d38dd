import type { Sample } from '../../schema/sample.ts';
import { contentId } from '../content-id.ts';
import { openSteps, type StepValues } from './open-steps.ts';
import type { Drop } from './step.ts';

/** What is left of a row after all steps that look at one row at a time; for facts, which need no steps over all rows. */
export type RowSteps = (sample: Sample) => { readonly sample: Sample } | { readonly drop: Drop };

/** @throws as `openSteps` does */
export async function openRowSteps(values: readonly StepValues[]): Promise<RowSteps> {
  const steps = (await openSteps(values)).flatMap(({ step }) => (step.kind === 'rows' ? [step] : []));
  return (given) => {
    let sample = given;
    for (const step of steps) {
      const verdict = step.apply(sample);
      if (verdict?.drop) return { drop: verdict.drop };
      if (verdict?.sample) sample = { ...verdict.sample, id: contentId(verdict.sample) };
    }
    return { sample };
  };
}
