import { parseFeedbackAddress } from '../core/feedback-address.ts';
import type { Json } from '../schema/common.ts';
import type { PlanValues } from '../schema/plan.ts';
import { loraModules, type Recipe } from '../schema/recipe.ts';
import { stepWithDefaults } from '../schema/steps.ts';
import { deriveAlpha, deriveFormats, deriveLearningRate, deriveLengthTokens, deriveShare } from './derive.ts';
import type { Facts } from './facts.ts';
import type { OriginNotes } from './origin-notes.ts';
import type { Origins } from './places.ts';

export interface ResolveValuesRequest {
  readonly recipe: Recipe;
  readonly given: Origins;
  readonly facts: Facts;
  readonly resolvePath: (path: string) => string;
  readonly notes: OriginNotes;
}

/** Every value that decides the result, with its origin noted. */
export function resolveValues(request: ResolveValuesRequest): PlanValues {
  const { recipe, notes } = request;
  const { take, orNull, orDerive } = notes;
  const { render, train } = recipe;
  const evaluation = recipe.eval;
  return {
    name: take(['name'], recipe.name),
    base: take(
      ['base'],
      [recipe.base].flat().map((address) => baseAddress(address, request.resolvePath)),
    ),
    method: resolveMethod(request),
    data: resolveData(request),
    render: {
      template: take(
        ['render', 'template'],
        render.template === 'model' ? 'model' : request.resolvePath(render.template),
      ),
      learn: take(['render', 'learn'], render.learn),
      weights: resolveWeights(request),
      rewritten: take(['render', 'rewritten'], render.rewritten),
      controlTokens: take(['render', 'controlTokens'], render.controlTokens),
      agent: take(['render', 'agent'], render.agent),
      system: orNull(['render', 'system'], render.system),
      lengthTokens: orDerive(['render', 'lengthTokens'], render.lengthTokens, () =>
        deriveLengthTokens(request.facts.model),
      ),
      overflow: take(['render', 'overflow'], render.overflow),
    },
    adapter: resolveAdapter(request),
    train: {
      epochs: take(['train', 'epochs'], train.epochs),
      maxSteps: orNull(['train', 'maxSteps'], train.maxSteps),
      rowsPerStep: take(['train', 'rowsPerStep'], train.rowsPerStep),
      groupByLength: take(['train', 'groupByLength'], train.groupByLength),
      learningRate: orDerive(['train', 'learningRate'], train.learningRate, () =>
        deriveLearningRate(recipe.adapter.kind),
      ),
      schedule: take(['train', 'schedule'], train.schedule),
      warmup: take(['train', 'warmup'], train.warmup),
      minLearningRate: take(['train', 'minLearningRate'], train.minLearningRate),
      weightDecay: take(['train', 'weightDecay'], train.weightDecay),
      betas: take(['train', 'betas'], train.betas),
      epsilon: take(['train', 'epsilon'], train.epsilon),
      clipNorm: take(['train', 'clipNorm'], train.clipNorm),
      seed: take(['train', 'seed'], train.seed),
    },
    eval: {
      tasks: take(['eval', 'tasks'], evaluation.tasks),
      rows: take(['eval', 'rows'], evaluation.rows),
      maxTokens: take(['eval', 'maxTokens'], evaluation.maxTokens),
    },
    export: {
      formats: resolveFormats(request),
      tolerance: take(['export', 'tolerance'], recipe.export.tolerance),
      certifyRows: take(['export', 'certifyRows'], recipe.export.certifyRows),
    },
  };
}

function resolveWeights({ recipe, notes: { take } }: ResolveValuesRequest): PlanValues['render']['weights'] {
  const { weights } = recipe.render;
  if (weights.length === 0) return take(['render', 'weights'], weights);
  return weights.map(({ match, weight, after }, index) => {
    const at = ['render', 'weights', index] as const;
    return {
      match: take([...at, 'match'], match),
      weight: take([...at, 'weight'], weight),
      after: take([...at, 'after'], after),
    };
  });
}

function resolveMethod({ recipe, notes }: ResolveValuesRequest): PlanValues['method'] {
  const section = typeof recipe.method === 'string' ? { name: recipe.method } : recipe.method;
  const { name, ...parameters } = section;
  return {
    name: notes.take(['method', 'name'], name),
    parameters: Object.fromEntries(
      Object.entries(parameters).map(([key, value]) => [
        key,
        notes.take(['method', key], value as Json, ['method', 'parameters', key]),
      ]),
    ),
  };
}

function resolveData({ recipe, resolvePath, notes, facts }: ResolveValuesRequest): PlanValues['data'] {
  const { take, orNull, orDerive } = notes;
  const { sources, split, budget } = recipe.data;
  return {
    sources: sources.map((source, index) => {
      const at = ['data', 'sources', index] as const;
      return {
        from: take([...at, 'from'], sourceAddress(source.from, resolvePath)),
        query: orNull([...at, 'query'], source.query),
        format: take([...at, 'format'], source.format),
        columns: orNull([...at, 'columns'], source.columns),
        media: orNull([...at, 'media'], source.media === undefined ? undefined : resolvePath(source.media)),
        textRows: take([...at, 'textRows'], source.textRows),
        sample: orNull([...at, 'sample'], source.sample),
        weight: orNull([...at, 'weight'], source.weight),
        options: orNull([...at, 'options'], source.options),
        limit: orNull([...at, 'limit'], source.limit),
        madeBy: orNull([...at, 'madeBy'], source.madeBy),
        licence: orNull([...at, 'licence'], source.licence),
      };
    }),
    steps: take(
      ['data', 'steps'],
      recipe.data.steps.map((step) => resolveStep(step, resolvePath)),
    ),
    mix: take(['data', 'mix'], recipe.data.mix),
    mixStop: take(['data', 'mixStop'], recipe.data.mixStop),
    seed: take(['data', 'seed'], recipe.data.seed),
    maxRowMiB: take(['data', 'maxRowMiB'], recipe.data.maxRowMiB),
    turns: take(['data', 'turns'], recipe.data.turns),
    split: {
      by: orNull(['data', 'split', 'by'], split.by),
      heldOut: orNull(['data', 'split', 'heldOut'], split.heldOut),
      share: orDerive<number | null>(['data', 'split', 'share'], split.share, () =>
        deriveShare(split.heldOut, facts.rows),
      ),
    },
    budget: {
      dropped: take(['data', 'budget', 'dropped'], budget.dropped),
      truncated: take(['data', 'budget', 'truncated'], budget.truncated),
    },
  };
}

/** A step with all its options; its files are made absolute. */
function resolveStep(
  given: Recipe['data']['steps'][number],
  resolvePath: (path: string) => string,
): PlanValues['data']['steps'][number] {
  if (typeof given === 'object' && 'module' in given) {
    const module = resolvePath(given.module);
    return { step: module, module, options: given.options ?? null };
  }
  const whole = typeof given === 'string' ? stepWithDefaults(given) : given;
  if (whole.step !== 'contamination') return { step: whole.step, module: null, options: whole as Json };
  return { step: whole.step, module: null, options: { ...whole, against: whole.against.map(resolvePath) } };
}

function resolveAdapter({
  recipe: { adapter },
  notes: { take, orDerive },
}: ResolveValuesRequest): PlanValues['adapter'] {
  const kind = take(['adapter', 'kind'], adapter.kind);
  if (adapter.kind === 'full' || kind === 'full') return { kind: 'full' };
  return {
    kind,
    rank: take(['adapter', 'rank'], adapter.rank),
    alpha: orDerive(['adapter', 'alpha'], adapter.alpha, () => deriveAlpha(adapter.rank)),
    dropout: take(['adapter', 'dropout'], adapter.dropout),
    targets: take(['adapter', 'targets'], adapter.targets === 'all-linear' ? [...loraModules] : adapter.targets),
  };
}

/** The default formats hold the adapter, which full fine-tuning does not make. */
function resolveFormats({ recipe, given, notes }: ResolveValuesRequest): PlanValues['export']['formats'] {
  const { formats } = recipe.export;
  const written = given.has('export.formats') || recipe.adapter.kind !== 'full';
  return notes.orDerive(['export', 'formats'], written ? formats : undefined, () => deriveFormats(formats));
}

/** What is no address of a hub, a database or feedback is a path; so is the file of an SQLite database. */
function sourceAddress(from: string, resolvePath: (path: string) => string): string {
  if (parseFeedbackAddress(from)) return from;
  const [, file, query = ''] = /^sqlite:(.*?)(\?query=.*)?$/is.exec(from) ?? [];
  if (file !== undefined) return `sqlite:${resolvePath(file)}${query}`;
  return /^(hf|ms|modelscope|postgres(ql)?):/i.test(from) ? from : resolvePath(from);
}

/** An address with a scheme (`hf:`, `pypi:` ...) stands as it is; anything else is a folder or a file. */
function baseAddress(address: string, resolvePath: (path: string) => string): string {
  return /^[a-z]{2,}:/i.test(address) ? address : resolvePath(address);
}
