import { issuesError } from '../core/error.ts';
import { type Facts, readRecipe, resolvePlan } from '../recipe/index.ts';
import type { Plan } from '../schema/plan.ts';

export interface TestPlanOptions {
  /** What a person would give as `--set path=value`. */
  readonly flags?: readonly string[];
  readonly facts?: Facts;
  /** Folder of the base model. */
  readonly base?: string;
}

/**
 * The plan of a small recipe called `test` whose rows are in `/rows.jsonl`, resolved as `martlet plan` does it.
 * @throws MartletError `invalid-input` with every issue.
 */
export function testPlan({ flags = [], facts = {}, base = '/model' }: TestPlanOptions = {}): Plan {
  const text = `name: test\nbase: ${JSON.stringify(base)}\ndata: {sources: [{from: /rows.jsonl}]}\n`;
  const read = readRecipe({ text, file: 'test.yaml', flags });
  if (!read.ok) throw issuesError('test.yaml', read.issues);
  const plan = resolvePlan({ ...read.value, facts, resolvePath: (path) => path });
  if (!plan.ok) throw issuesError('test.yaml', plan.issues);
  return plan.value;
}
