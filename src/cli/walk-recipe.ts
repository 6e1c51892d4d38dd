import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { formatIssue } from '../core/issue.ts';
import { formatCount, formatDuration } from '../core/units.ts';
import { embeddedEngine } from '../engine/embedded.ts';
import { startAhead } from '../engine/start-ahead.ts';
import { martletHome } from '../envs/home.ts';
import { datasetFetcher } from '../models/dataset-fetcher.ts';
import { resolveModel } from '../models/resolve.ts';
import { wakeTokenizers } from '../models/tokenizer-bridge.ts';
import { type StageDeps, type StageName, type Walk, walkTo } from '../pipeline.ts';
import type { RunEvent } from '../schema/event.ts';
import type { Plan } from '../schema/plan.ts';
import type { TrainEngine } from '../spec/train-engine.ts';
import { openStore } from '../store/open-store.ts';
import type { CliContext } from './context.ts';
import { factSources } from './fact-sources.ts';
import { loadPlan } from './load-plan.ts';
import { madeLine } from './print/made.ts';
import { progressLine } from './print/progress-line.ts';
import { storeRoot } from './store-root.ts';
import { userName } from './user-name.ts';

export interface WalkRequest {
  readonly file: string;
  readonly flags: readonly string[];
  readonly base?: string | undefined;
  readonly last: StageName;
  readonly skip?: readonly StageName[];
  /** Train only what goes on from a checkpoint. */
  readonly resume?: boolean;
  /** Says nothing on the way. */
  readonly quiet?: boolean;
  readonly onEvent?: (event: RunEvent) => void;
  /** Puts something between the loop and the engine. */
  readonly wrapEngine?: (engine: TrainEngine) => TrainEngine;
}

/** Makes the plan with the base model at hand, then walks the path up to a stage, showing how it goes. */
export async function walkRecipe(
  context: CliContext,
  request: WalkRequest,
): Promise<{ readonly walk: Walk; readonly deps: StageDeps }> {
  const { env, signal } = context;
  const home = martletHome(env);
  const line = progressLine(context);
  const log = (text: string): void => {
    if (!request.quiet) line.note(text);
  };
  const embedded = embeddedEngine({ home, env, log });
  await using ahead = startAhead(request.wrapEngine?.(embedded) ?? embedded);
  if (trains(request.last)) ahead.begin();
  wakeTokenizers();
  const found: { base?: Walk['base']; error?: unknown } = {};
  const { plan, warnings, missing, atPlaces } = await loadPlan({
    file: request.file,
    flags: request.flags,
    base: request.base,
    context,
    sources: {
      ...factSources(context, { keep: true }),
      findModel: async (addresses) => {
        try {
          const resolved = await resolveModel({ addresses, home, env, log, signal });
          found.base = resolved;
          // Rows are counted, cut and checked while it reads the weights.
          ahead.prepare({ baseFolder: resolved.folder });
          return resolved.folder;
        } catch (error) {
          found.error = error;
          throw error;
        }
      },
    },
  });
  for (const warning of warnings) log(`warning ${formatIssue(warning)}`);
  const { base } = found;
  if (trains(request.last) && plan.predictions.steps !== 'unknown') log(expectation(plan));
  // Facts may be missing; the model may not.
  if (!base) throw found.error ?? new MartletError('base-missing', missing.join('; '));
  const shown = trainProgress(context);
  const deps: StageDeps = {
    store: await openStore({
      root: storeRoot(context),
      clock: context.now,
      who: userName(context) ?? 'unknown',
    }),
    engine: ahead.engine,
    home,
    env,
    fetchDataset: datasetFetcher({ home, env, log, signal }),
    clock: context.now,
    log,
    onMade: (artefact, isNew) => {
      if (artefact.lineage.kind === 'plan' && base)
        ahead.prepare({ baseFolder: base.folder, planFile: join(artefact.folder, 'plan.json') });
      if (request.quiet) return;
      line.clear();
      line.note(madeLine(artefact, isNew));
    },
    onEvent: (event) => {
      request.onEvent?.(event);
      const text = shown(event);
      if (!text || request.quiet) return;
      if (event.type === 'step-end') return line.update(text);
      if (event.type === 'run-end') line.clear();
      line.note(text);
    },
    onProgress: ({ what, done, of }) => {
      if (!request.quiet) line.update(`${what}: ${done} of ${of}`);
    },
    signal,
    resume: request.resume ?? false,
  };
  if (plan.execution.engine !== 'embedded')
    throw new MartletError(
      'engine-missing',
      `this plan asks for the ${plan.execution.engine} engine (${plan.execution.engineReason}), which is not part of this version`,
      { hint: 'Set execution.engine: embedded, with a model it supports.' },
    );
  try {
    return { walk: await walkTo(deps, { plan, base }, request.last, request.skip), deps };
  } catch (error) {
    throw atPlaces(error);
  } finally {
    line.finish();
  }
}

const trains = (last: StageName): boolean => last === 'train' || last === 'eval' || last === 'export';

/** What the plan expects, in one line; a passage that is not known is left out. */
function expectation({ predictions, origins }: Plan): string {
  const { tokens, steps, peakMemoryGiB, trainSeconds } = predictions;
  const rough = origins['predictions.trainSeconds']?.reason?.startsWith('rough') ? 'roughly' : 'about';
  const parts = [
    ...(typeof steps === 'number' ? [`${formatCount(steps)} steps`] : []),
    ...(typeof tokens === 'number' ? [`${formatCount(tokens)} tokens a pass`] : []),
    ...(typeof peakMemoryGiB === 'number' ? [`${peakMemoryGiB.toFixed(1)} GiB`] : []),
    ...(typeof trainSeconds === 'number' ? [`${rough} ${formatDuration(trainSeconds * 1000)} of training`] : []),
  ];
  return `Expecting ${parts.join(', ')}`;
}

/** One line of text an event, with what is left of the run. */
function trainProgress(context: Pick<CliContext, 'now'>): (event: RunEvent) => string | undefined {
  let steps = 0;
  let first: { at: number; step: number } | undefined;
  const sum = { tokens: 0, learned: 0, seconds: 0, loss: Number.NaN };
  return (event) => {
    switch (event.type) {
      case 'run-start':
        steps = event.steps;
        return `${event.resumedFrom ? `Resuming from ${event.resumedFrom}` : 'Training'}: ${formatCount(steps)} steps, ${formatCount(event.trainableParameters)} parameters, ${event.engine}`;
      case 'step-end': {
        first ??= { at: context.now().getTime() - event.seconds * 1000, step: event.step - 1 };
        sum.tokens += event.tokens;
        sum.learned += event.learnedTokens;
        sum.seconds += event.seconds;
        sum.loss = event.loss;
        const left = steps - event.step;
        const perStepMs = (context.now().getTime() - first.at) / (event.step - first.step);
        return [
          `step ${event.step}/${steps}`,
          `loss ${event.loss.toFixed(4)}`,
          `${(event.tokens / event.seconds).toFixed(0)} tok/s`,
          `${formatCount(sum.learned)} learned`,
          `${event.memoryGiB.toFixed(2)} GiB`,
          ...(left > 0 ? [`${formatDuration(left * perStepMs)} left`] : []),
        ].join('  ');
      }
      case 'eval-end':
        return `held-out loss ${event.loss.toFixed(4)} after step ${event.step}`;
      case 'checkpoint-saved':
        return `saved ${event.checkpoint}`;
      case 'warning':
        return `warning ${event.message} [${event.code}]`;
      case 'run-failed':
        return undefined;
      case 'run-end':
        return event.reason === 'stopped'
          ? `stopped after ${event.step} steps`
          : `trained on ${formatCount(sum.tokens)} tokens in ${formatDuration(sum.seconds * 1000)}: last loss ${sum.loss.toFixed(4)}`;
    }
  };
}
