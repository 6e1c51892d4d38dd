import type { Issue } from '../../core/issue.ts';
import type { PlanExecution, PlanPredictions, PlanValues } from '../../schema/plan.ts';
import type { Recipe } from '../../schema/recipe.ts';
import type { Facts } from '../facts.ts';
import type { Origins } from '../places.ts';

/** What a check of a whole plan may look at. */
export interface CheckContext {
  readonly recipe: Recipe;
  readonly given: Origins;
  readonly values: PlanValues;
  readonly execution: PlanExecution;
  readonly predictions: PlanPredictions;
  readonly facts: Facts;
  /** Stages that this plan is made for: what only others need is a warning. */
  readonly walked: readonly string[];
}

/** What two or more fields have to agree on. Paths are those of the recipe; the place is added by the caller. */
export type Check = (context: CheckContext) => readonly Issue[];

type Finding = Pick<Issue, 'code' | 'path' | 'message' | 'expected' | 'fix'>;

export function error(finding: Finding): Issue {
  return { severity: 'error', ...finding };
}

export function warning(finding: Finding): Issue {
  return { severity: 'warning', ...finding };
}
