import type { CliContext } from './context.ts';
import { loadPlan } from './load-plan.ts';
import { failureOfSource, planOfSource } from './one-source.ts';
import { formatInspection } from './print/inspection.ts';

export interface InspectFlags {
  readonly rows: number;
  readonly set: readonly string[];
  readonly json?: true;
}

/** Says how the rows of a recipe, or of one source, are understood. */
export async function inspectData(context: CliContext, target: string, flags: InspectFlags): Promise<void> {
  const { values, execution, atPlaces } = /\.ya?ml$/i.test(target)
    ? await ofRecipe(context, target, flags)
    : {
        ...planOfSource(target, { ...context, ...flags }),
        atPlaces: (error: unknown) => failureOfSource(error, { from: target, set: flags.set }),
      };
  const [{ inspectSources }, { sourceReading }] = await Promise.all([
    import('../pipeline.ts'),
    import('./source-reading.ts'),
  ]);
  const inspections = await inspectSources({
    ...sourceReading(context, execution),
    values: values.data,
    shown: flags.rows,
  }).catch((error: unknown) => {
    throw atPlaces(error);
  });
  if (flags.json) context.out(`${JSON.stringify(inspections)}\n`);
  else context.out(inspections.map((inspection) => formatInspection(inspection, context)).join('\n'));
}

async function ofRecipe(context: CliContext, file: string, { set }: InspectFlags) {
  const { plan, atPlaces } = await loadPlan({ file, flags: set, context });
  return { ...plan, atPlaces };
}
