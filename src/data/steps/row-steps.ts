import type { Sample } from '../../schema/sample.ts';
import { contentId } from '../content-id.ts';
import { closedSteps } from './closed-steps.ts';
import { type LackingColumn, lackingColumns } from './lacking-columns.ts';
import { openSteps, type StepValues } from './open-steps.ts';
import type { Drop, RowStep } from './step.ts';

/** What is left of a row after all steps that can tell of it as it comes; for facts, which need no look at all rows. */
export interface RowSteps {
  /** In the order of the rows. `place`: where the row stands, for people. */
  apply(sample: Sample, place: string): RowOutcome;
  /** Columns that steps name and rows have lacked so far. */
  lacking(): readonly LackingColumn[];
  /** Steps that have to see all rows before they drop one: their drops are not known here. */
  readonly undecided: readonly string[];
}

export type RowOutcome = { readonly changes: readonly string[] } & (
  | { readonly sample: Sample }
  | { readonly drop: Drop /** Index in `data.steps`. */; readonly step: number }
);

/** @throws as `openSteps` does */
export async function openRowSteps(values: readonly StepValues[]): Promise<RowSteps> {
  const steps = await openSteps(closedSteps([...values]));
  const looks = steps.map(({ step }): RowStep['apply'] | undefined =>
    step.kind === 'rows' ? (sample) => step.apply(sample) : step.asTheyCome?.(),
  );
  const reached = steps.map(() => 0);
  const lacking = lackingColumns();
  return {
    undecided: steps.filter((_, index) => looks[index] === undefined).map(({ name }) => name),
    apply(given, place) {
      let sample = given;
      const changes: string[] = [];
      for (const [index, { name }] of steps.entries()) {
        const look = looks[index];
        if (!look) continue;
        reached[index] = (reached[index] ?? 0) + 1;
        const verdict = look(sample);
        if (verdict?.lacks) lacking.add({ step: index, lacks: verdict.lacks, place });
        changes.push(...(verdict?.changes ?? []).map((change) => `${name}: ${change}`));
        if (verdict?.drop) return { drop: verdict.drop, step: index, changes };
        if (verdict?.sample) sample = { ...verdict.sample, id: contentId(verdict.sample) };
      }
      return { sample, changes };
    },
    lacking: () => lacking.all((step) => reached[step] ?? 0),
  };
}
