import type { Sample } from '../../schema/sample.ts';
import { contentId } from '../content-id.ts';
import { type LackingColumn, lackingColumns } from './lacking-columns.ts';
import { openSteps, type StepValues } from './open-steps.ts';
import type { Drop } from './step.ts';

/** What is left of a row after all steps that look at one row at a time; for facts, which need no steps over all rows. */
export interface RowSteps {
  /** `place`: where the row stands, for people. */
  apply(sample: Sample, place: string): RowOutcome;
  /** Columns that steps name and rows have lacked so far. */
  lacking(): readonly LackingColumn[];
}

export type RowOutcome = { readonly changes: readonly string[] } & (
  | { readonly sample: Sample }
  | { readonly drop: Drop }
);

/** @throws as `openSteps` does */
export async function openRowSteps(values: readonly StepValues[]): Promise<RowSteps> {
  const steps = await openSteps(values);
  const reached = steps.map(() => 0);
  const lacking = lackingColumns();
  return {
    apply(given, place) {
      let sample = given;
      const changes: string[] = [];
      for (const [index, { name, step }] of steps.entries()) {
        if (step.kind !== 'rows') continue;
        reached[index] = (reached[index] ?? 0) + 1;
        const verdict = step.apply(sample);
        if (verdict?.lacks) lacking.add({ step: index, lacks: verdict.lacks, place });
        changes.push(...(verdict?.changes ?? []).map((change) => `${name}: ${change}`));
        if (verdict?.drop) return { drop: verdict.drop, changes };
        if (verdict?.sample) sample = { ...verdict.sample, id: contentId(verdict.sample) };
      }
      return { sample, changes };
    },
    lacking: () => lacking.all((step) => reached[step] ?? 0),
  };
}
