import { type Checked, formatIssue, formatPath, type Issue } from '../core/issue.ts';
import { planHash } from '../core/plan-hash.ts';
import { methodNamed } from '../methods/index.ts';
import type { Json } from '../schema/common.ts';
import type { Plan, PlanExecution, PlanPredictions, PlanValues } from '../schema/plan.ts';
import type { Recipe } from '../schema/recipe.ts';
import { inOrder, type ReadRecipe } from './check-recipe.ts';
import { checks } from './checks/index.ts';
import { deriveCheckpointEvery, deriveEngine, deriveMemoryGiB, derivePackTokens, deriveThreads } from './derive.ts';
import type { Facts } from './facts.ts';
import { noteOrigins, type OriginNotes } from './origin-notes.ts';
import type { Path, Places } from './places.ts';
import { predict } from './predict.ts';
import { resolveValues } from './resolve-values.ts';
import { placed } from './schema-issues.ts';

export interface ResolveRequest extends ReadRecipe {
  readonly facts: Facts;
  /** Makes a path of the recipe absolute: relative ones start at the recipe's folder. */
  readonly resolvePath: (path: string) => string;
  /** Stages that are walked with the plan; none when it is only looked at. */
  readonly walked?: readonly string[];
}

/** Recipe and facts to a plan: a pure function. A missing fact makes predictions `unknown` and refuses nothing. */
export function resolvePlan(request: ResolveRequest): Checked<Plan> {
  const { recipe, origins: given, places, facts, resolvePath, walked = [] } = request;
  const notes = noteOrigins(given);
  const values = resolveValues({ recipe, given, facts, resolvePath, notes });
  const execution = resolveExecution({ recipe, facts, values, notes });
  const predictions = notePredictions(predict({ values, ...execution, facts }), notes);
  const checkpointEvery = notes.orDerive<number | 'unknown'>(
    ['train', 'checkpointEvery'],
    recipe.train.checkpointEvery,
    () => deriveCheckpointEvery(predictions),
    ['execution', 'checkpointEvery'],
  );
  const draft = { values, execution: { ...execution, checkpointEvery }, predictions };

  const found = checks.flatMap((check) => check({ ...draft, recipe, given, facts, walked }));
  const issues = inOrder(
    found.map((issue): Issue => (issue.place ? issue : { ...issue, ...writtenAt(places, issue.path) })),
  );
  if (issues.some(({ severity }) => severity === 'error')) return { ok: false, issues };
  const loss = lossOf(values.method);
  const plan: Plan = {
    schema: 'plan/2',
    hash: planHash({ values, loss }),
    ...draft,
    loss,
    origins: notes.origins,
    warnings: issues.map(formatIssue),
    ...(recipe.notes !== undefined && { notes: recipe.notes }),
  };
  return { ok: true, value: plan, warnings: issues };
}

/** The line of the name says nothing of a value that was left to its default, in a section that is not there. */
function writtenAt(places: Places, path: Path): Pick<Issue, 'place'> {
  const isWritten = path.some((_, index) => places.keys.has(formatPath(path.slice(0, index + 1))));
  return isWritten || path.length === 0 ? placed(places, path, 'value') : {};
}

function lossOf({ name, parameters }: PlanValues['method']): Json {
  const method = methodNamed(name);
  // An expression is plain data by definition; its type has no index signature.
  return method.loss(method.parameters.parse(parameters)) as unknown as Json;
}

function notePredictions(predicted: ReturnType<typeof predict>, { orDerive }: OriginNotes): PlanPredictions {
  const note = (name: keyof PlanPredictions): number | 'unknown' =>
    orDerive(['predictions', name], undefined, () => predicted[name]);
  return {
    rows: note('rows'),
    tokens: note('tokens'),
    learnedTokens: note('learnedTokens'),
    steps: note('steps'),
    trainableParameters: note('trainableParameters'),
    peakMemoryGiB: note('peakMemoryGiB'),
    trainSeconds: note('trainSeconds'),
  };
}

interface ExecutionRequest {
  readonly recipe: Recipe;
  readonly facts: Facts;
  readonly values: PlanValues;
  readonly notes: OriginNotes;
}

function resolveExecution({ recipe, facts, values, notes }: ExecutionRequest): Omit<PlanExecution, 'checkpointEvery'> {
  const { take, orNull, orDerive } = notes;
  const { engine: asked, threads, memoryGiB: limit } = recipe.execution;
  const picked = deriveEngine(facts);
  const engine = orDerive(['execution', 'engine'], asked === 'auto' ? undefined : asked, () => picked);
  const memoryGiB = orDerive<number | 'unknown'>(['execution', 'memoryGiB'], limit, () =>
    deriveMemoryGiB(facts.machine),
  );
  return {
    engine,
    engineReason: asked === 'auto' ? picked.reason : 'asked for',
    threads: orDerive<number | 'unknown'>(['execution', 'threads'], threads, () => deriveThreads(facts.machine)),
    memoryGiB,
    diskGiB: orNull(['execution', 'diskGiB'], recipe.execution.diskGiB),
    packTokens: orDerive(
      ['train', 'packTokens'],
      recipe.train.packTokens,
      () => derivePackTokens({ lengthTokens: values.render.lengthTokens, facts }),
      ['execution', 'packTokens'],
    ),
    packing: take(['train', 'packing'], recipe.train.packing, ['execution', 'packing']),
    keepCheckpoints: take(['train', 'keepCheckpoints'], recipe.train.keepCheckpoints, ['execution', 'keepCheckpoints']),
    checkRows: take(['train', 'checkRows'], recipe.train.checkRows, ['execution', 'checkRows']),
    evalEvery: orNull(['train', 'evalEvery'], recipe.train.evalEvery, ['execution', 'evalEvery']),
  };
}
