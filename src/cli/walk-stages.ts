import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import type { Forecast } from '../core/forecast.ts';
import { formatIssue } from '../core/issue.ts';
import type { EngineAhead } from '../engine/start-ahead.ts';
import { datasetFetcher } from '../models/dataset-fetcher.ts';
import { findCachedModel, type ResolvedModel, resolveModel } from '../models/resolve.ts';
import { readTokenizerAhead } from '../models/tokenizer-bridge.ts';
import { type StageDeps, type StageName, stagesTo, type Walk, walkTo } from '../pipeline.ts';
import type { Facts } from '../recipe/index.ts';
import type { RunEvent } from '../schema/event.ts';
import type { TrainEngine } from '../spec/train-engine.ts';
import { openStore } from '../store/open-store.ts';
import type { StepReuse } from '../store/stage.ts';
import type { CliContext } from './context.ts';
import { factSources } from './fact-sources.ts';
import { loadPlan } from './load-plan.ts';
import { madeLine, reuseLine } from './print/made.ts';
import type { ProgressLine } from './print/progress-line.ts';
import { expectation, trainProgress } from './print/train-progress.ts';
import { storeRoot } from './store-root.ts';
import { trains } from './trains.ts';
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

interface WalkFrame extends WalkRequest {
  readonly ahead: EngineAhead;
  /** `martletHome(env)` */
  readonly home: string;
  readonly line: ProgressLine;
  readonly log: (text: string) => void;
}

export interface Walked {
  readonly walk: Walk;
  readonly deps: StageDeps;
  /** Of a dataset that was built on the way: how much of the last build went into it. */
  readonly reuse?: readonly StepReuse[];
}

/** The walk itself, with an engine that may have been started already. */
export async function walkStages(context: CliContext, request: WalkFrame): Promise<Walked> {
  const { env, signal, cwd } = context;
  const { ahead, home, line, log } = request;
  const found: { base?: Walk['base']; error?: unknown } = {};
  const walked = stagesTo(request.last, request.skip);
  const needsBase = walked.some(({ reads }) => reads.includes('base'));
  const day = context.now().toISOString().slice(0, 10);
  const facts = factSources(context, { keep: true });
  const {
    plan,
    facts: known,
    warnings,
    missing,
    atPlaces,
  } = await loadPlan({
    file: request.file,
    flags: request.flags,
    base: request.base,
    walked: walked.map(({ name }) => name),
    context,
    sources: {
      ...facts,
      begin({ base: addresses }) {
        // Rows are counted, cut and checked while the engine reads the weights.
        const cached = findCachedModel({ addresses, home, env, cwd });
        const getReady = (base: ResolvedModel | undefined): void => {
          if (!base) return;
          readTokenizerAhead(base.folder);
          ahead.prepare({ baseFolder: base.folder });
        };
        cached.then(getReady, () => {});
      },
      findModel: async (addresses) => {
        // Nothing is fetched that is not used.
        if (!needsBase) return facts.findModel?.(addresses);
        if (trains(request.last)) ahead.begin();
        try {
          const resolved = await resolveModel({ addresses, home, env, log, signal });
          found.base = resolved;
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
  if (!base && needsBase) throw found.error ?? new MartletError('base-missing', missing.join('; '));
  const shown = trainProgress(context);
  const built: { reuse?: readonly StepReuse[] } = {};
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
    onReuse: (steps) => {
      built.reuse = steps;
      log(reuseLine(steps));
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
    const start = { plan, forecast: forecastOf(known, day), ...(base && { base }) };
    return { walk: await walkTo(deps, start, request.last, request.skip), deps, ...built };
  } catch (error) {
    throw atPlaces(error);
  } finally {
    line.finish();
  }
}

/** Of what was counted whole; undefined where nothing was. */
function forecastOf({ rows, tokens }: Facts, day: string): Forecast | undefined {
  return rows?.sources && { day, rows: rows.sources, tokens: tokens?.sources };
}
