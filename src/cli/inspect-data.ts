import { resolve } from 'node:path';
import { issuesError } from '../core/error.ts';
import { readRecipe, resolvePlan } from '../recipe/index.ts';
import type { PlanValues } from '../schema/plan.ts';
import type { CliContext } from './context.ts';
import { loadPlan } from './load-plan.ts';
import { formatInspection } from './print/inspection.ts';

export interface InspectFlags {
  readonly rows: number;
  readonly set: readonly string[];
  readonly json?: true;
}

/** Says how the rows of a recipe, or of one source, are understood. */
export async function inspectData(context: CliContext, target: string, flags: InspectFlags): Promise<void> {
  const { values, atPlaces } = /\.ya?ml$/i.test(target)
    ? await ofRecipe(context, target, flags)
    : { values: ofSource(context, target, flags), atPlaces: (error: unknown) => error };
  const [{ inspectSources }, { sourceReading }] = await Promise.all([
    import('../pipeline.ts'),
    import('./source-reading.ts'),
  ]);
  const inspections = await inspectSources({ ...sourceReading(context), values, shown: flags.rows }).catch(
    (error: unknown) => {
      throw atPlaces(error);
    },
  );
  if (flags.json) context.out(`${JSON.stringify(inspections)}\n`);
  else context.out(inspections.map((inspection) => formatInspection(inspection, context)).join('\n'));
}

async function ofRecipe(context: CliContext, file: string, { set }: InspectFlags) {
  const { plan, atPlaces } = await loadPlan({ file, flags: set, context });
  return { values: plan.values.data, atPlaces };
}

/** As a recipe that names nothing but the source, with every default. */
function ofSource({ cwd }: CliContext, from: string, { set }: InspectFlags): PlanValues['data'] {
  const text = JSON.stringify({ name: 'inspect', base: 'hf:none/none', data: { sources: [{ from }] } });
  const read = readRecipe({ text, file: from, flags: set });
  const plan = read.ok ? resolvePlan({ ...read.value, facts: {}, resolvePath: (path) => resolve(cwd, path) }) : read;
  if (!plan.ok) throw issuesError(from, plan.issues);
  return plan.value.values.data;
}
