import { formatCounted } from '../core/units.ts';
import type { PlanExecution, PlanPredictions } from '../schema/plan.ts';
import type { Recipe } from '../schema/recipe.ts';
import type { Facts } from './facts.ts';

/** A default that depends on something else, and why it is what it is. */
export interface Derived<T> {
  readonly value: T;
  readonly reason: string;
  /** `model` when the model's own value was taken as it is. */
  readonly origin?: 'derived' | 'model';
}

type AdapterKind = Recipe['adapter']['kind'];

/** Model architectures the embedded engine knows: dense decoders of Llama's kind, which differ by flags. */
export const embeddedArchitectures = [
  'LlamaForCausalLM',
  'MistralForCausalLM',
  'Qwen2ForCausalLM',
  'Qwen3ForCausalLM',
] as const;

/** The embedded engine is picked by itself up to this size; beyond it a processor is too slow to be a good default. */
export const embeddedParameters = 1.1e9;

export function deriveAlpha(rank: number): Derived<number> {
  return { value: 2 * rank, reason: 'twice the rank' };
}

export function deriveLearningRate(kind: AdapterKind): Derived<number> {
  return kind === 'full'
    ? { value: 1e-5, reason: 'every weight is trained' }
    : { value: 2e-4, reason: 'an adapter is trained' };
}

/** Of few rows the usual share may be none; one is held out all the same, since what is learned cannot be measured without. */
export function deriveShare(heldOut: readonly string[] | undefined, rows: Facts['rows']): Derived<number | null> {
  if (heldOut) return { value: null, reason: 'heldOut names what is held out' };
  const usual = 0.05;
  if (rows?.oneRow === undefined) return { value: usual, reason: 'heldOut is absent' };
  const count = rows.train + rows.heldout;
  const dropping = rows.undecided ?? [];
  const unless = dropping.length > 0 ? `, unless ${dropping.join(' or ')} drops it` : '';
  return {
    value: rows.oneRow.share,
    reason: `holds out one row: none of these ${count} falls within the usual ${usual}${unless}`,
  };
}

export function deriveLengthTokens(model: Facts['model']): Derived<number> {
  const most = 2048;
  if (!model) return { value: most, reason: 'the model is not known yet' };
  const limit = model.max_position_embeddings;
  if (limit <= most) return { value: limit, reason: "the model's own limit", origin: 'model' };
  return { value: most, reason: `the model allows ${limit}` };
}

export function deriveFormats(formats: Recipe['export']['formats']): Derived<Recipe['export']['formats']> {
  return { value: formats.filter((format) => format !== 'adapter'), reason: 'full fine-tuning makes no adapter' };
}

/** Bounds of what a kill may cost, in seconds. Saving takes a tenth of a second or more: after each step of few, it shows. */
const checkpointSeconds = { least: 30, most: 900 };

/** Steps between checkpoints where nothing is known of their length. */
export const tenthOfRun = (steps: number): number => Math.min(100, Math.max(1, Math.ceil(steps / 10)));

/** A tenth of the run, but no more often than twice a minute and at least every quarter of an hour; at most 100 steps of unknown length. */
export function deriveCheckpointEvery({
  steps,
  trainSeconds,
}: Pick<PlanPredictions, 'steps' | 'trainSeconds'>): Derived<number | 'unknown'> {
  if (steps === 'unknown') return { value: 'unknown', reason: 'a tenth of the run, which is not known yet' };
  const tenth = Math.max(1, Math.ceil(steps / 10));
  if (trainSeconds === 'unknown' || trainSeconds <= 0)
    return { value: tenthOfRun(steps), reason: `a tenth of ${formatCounted(steps, 'step')}, at most 100` };
  const stepSeconds = trainSeconds / steps;
  const least = Math.min(Math.max(1, steps), Math.ceil(checkpointSeconds.least / stepSeconds));
  const most = Math.max(least, Math.floor(checkpointSeconds.most / stepSeconds));
  if (tenth < least) return { value: least, reason: `about every ${checkpointSeconds.least} s` };
  if (tenth > most) return { value: most, reason: `about every ${checkpointSeconds.most / 60} minutes` };
  return { value: tenth, reason: `a tenth of ${formatCounted(steps, 'step')}` };
}

export interface PackRequest {
  readonly lengthTokens: number;
  readonly facts: Facts;
}

/**
 * From about 512 tokens on, matrix products run at full speed; more only costs memory. A pack also holds the longest row,
 * which is never cut.
 */
export function derivePackTokens({ lengthTokens, facts }: PackRequest): Derived<number> {
  const longest = Math.min(facts.tokens?.longest ?? 0, lengthTokens);
  const plenty = 512;
  return longest > plenty
    ? { value: Math.ceil(longest / 64) * 64, reason: `the longest row has ${longest} tokens` }
    : { value: plenty, reason: 'fills the processor; more would only cost memory' };
}

/** Who trains when the recipe says `auto`. */
export function deriveEngine(facts: Facts): Derived<PlanExecution['engine']> {
  const { model, machine } = facts;
  if (machine?.accelerator) return { value: 'torch', reason: `there is an accelerator: ${machine.accelerator}` };
  if (!model) return { value: 'embedded', reason: 'no accelerator; the model is not known yet' };
  if (!isEmbeddedArchitecture(model.architecture))
    return { value: 'torch', reason: `the embedded engine does not know ${model.architecture}` };
  const size = `${(model.parameters / 1e9).toPrecision(2)} B parameters`;
  return model.parameters > embeddedParameters
    ? { value: 'torch', reason: `${size} are too many for the embedded engine on a processor` }
    : { value: 'embedded', reason: `no accelerator; dense ${model.architecture} of ${size}` };
}

export function isEmbeddedArchitecture(architecture: string): boolean {
  return embeddedArchitectures.some((known) => known === architecture);
}

export function deriveThreads(machine: Facts['machine']): Derived<number | 'unknown'> {
  return machine
    ? { value: machine.cores, reason: 'all physical cores' }
    : { value: 'unknown', reason: 'the machine is not known' };
}

export function deriveMemoryGiB(machine: Facts['machine']): Derived<number | 'unknown'> {
  return machine
    ? { value: machine.memoryGiB, reason: 'what the machine has' }
    : { value: 'unknown', reason: 'the machine is not known' };
}
