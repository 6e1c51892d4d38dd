import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { MartletError } from '../core/error.ts';
import { type Facts, flopsPerToken, savesActivations } from '../recipe/index.ts';
import { run as runSchema } from '../schema/checkpoint.ts';
import { runEvent } from '../schema/event.ts';
import { planExecution, planValues } from '../schema/plan.ts';
import { readJsonLines } from '../store/files/files.ts';
import { readDocument } from '../store/read-document.ts';
import type { Artefact, Store } from '../store/store.ts';
import { modelFacts } from './plan-facts.ts';

/** Steps that are left out at the start of a run: they include loading and compiling. */
const warmUpSteps = 1;
const fewestSteps = 3;

/**
 * What training last reached on this machine: the work of the newest finished run there, over the time it took. Counted
 * in operations, it holds for another model and another adapter as well.
 */
export async function measuredThroughput(store: Store, machine: string): Promise<Facts['throughput']> {
  const runs = (await store.list('run')).filter(({ lineage }) => lineage.machine === machine);
  for (const run of runs.toSorted((a, b) => b.lineage.createdAt.localeCompare(a.lineage.createdAt))) {
    const steps = await stepsOf(run);
    if (steps.length < fewestSteps) continue;
    const known = await planOf(store, run);
    // A base that was removed can no longer be weighed, nor what is not known of a plan of another version.
    if (!known || !existsSync(known.base)) continue;
    const { base } = known;
    const { values, execution } = known.plan;
    const total = (key: 'tokens' | 'learnedTokens' | 'seconds'): number =>
      steps.reduce((sum, step) => sum + step[key], 0);
    const model = await modelFacts(base);
    const { adapter } = values;
    const saves = savesActivations({ model, adapter, packTokens: execution.packTokens }, execution.memoryGiB);
    const learnedShare = total('learnedTokens') / total('tokens');
    const flops = flopsPerToken({ model, adapter, learnedShare, saves });
    return { flopsPerSecond: (flops * total('tokens')) / total('seconds'), from: `run ${run.address}` };
  }
  return undefined;
}

/** All that is weighed of a plan: what else stands in it may be of another version. */
const weighedPlan = z.object({
  values: z.object({ adapter: planValues.shape.adapter }),
  execution: z.object({ packTokens: planExecution.shape.packTokens, memoryGiB: planExecution.shape.memoryGiB }),
});

async function planOf(store: Store, run: Artefact) {
  try {
    const { base, plan: address } = await readDocument(join(run.folder, 'run.json'), runSchema);
    const { folder } = await store.open('plan', address);
    return { base, plan: await readDocument(join(folder, 'plan.json'), weighedPlan) };
  } catch (error) {
    if (MartletError.is(error) && error.code === 'document-unreadable') return undefined;
    throw error;
  }
}

interface Step {
  readonly tokens: number;
  readonly learnedTokens: number;
  readonly seconds: number;
}

async function stepsOf(run: Artefact): Promise<readonly Step[]> {
  const steps: Step[] = [];
  for await (const { value } of readJsonLines(join(run.folder, 'events.jsonl'))) {
    const event = runEvent.safeParse(value);
    if (event.success && event.data.type === 'step-end') steps.push(event.data);
  }
  return steps.slice(warmUpSteps);
}
