import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { tenthOfRun } from '../recipe/derive.ts';
import type { RunEvent } from '../schema/event.ts';
import type { Plan } from '../schema/plan.ts';
import type { StepWindow, TrainEngine, TrainSession } from '../spec/train-engine.ts';
import { learnedUntil, lossCurve } from '../store/runs/run-events.ts';
import { type Keep, newestCheckpoint, type SavedCheckpoint, saveCheckpoint, tidyCheckpoints } from './checkpoints.ts';
import { type EventBody, type EventLogOptions, openEventLog } from './event-log.ts';
import { runFailure } from './run-failure.ts';
import { learningRateAt } from './schedule.ts';

/** Tokens of streamed shards, made a window of steps at a time. */
export interface StepWindows extends AsyncDisposable {
  /** The window of a step; undefined once aborted. */
  holding(step: number): Promise<StepWindow | undefined>;
}

export interface TrainRequest {
  readonly plan: Plan;
  readonly planFile: string;
  readonly baseFolder: string;
  readonly shardsFolder: string;
  /** Where the tokens of a step are, when the shards do not keep them. */
  readonly windows?: StepWindows | undefined;
  /** Steps of the shards' schedule. */
  readonly steps: number;
  readonly hasHeldOut: boolean;
  readonly runFolder: string;
  readonly engine: TrainEngine;
  readonly clock: () => Date;
  /** Aborted: the step under way ends, a checkpoint is saved, the run stops. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: RunEvent) => void;
  /** How the event log is opened, where not as a plain file. */
  readonly openLogFile?: EventLogOptions['openFile'];
}

export interface TrainOutcome {
  readonly reason: 'complete' | 'stopped';
  readonly step: number;
  readonly checkpoint: SavedCheckpoint | null;
  /** In all its steps, also in those before it was resumed. */
  readonly learnedTokens: number;
}

/**
 * Trains a run from its newest whole checkpoint, or from the start. The same loop for every engine: it owns steps, learning rate,
 * events and checkpoints. A failure is recorded as `run-failed`, and leaves every earlier checkpoint whole.
 * @throws MartletError `plan-mismatch`, `loss-not-finite`, `out-of-memory`, `disk-full`, `file-too-large`, `disk-failed`,
 * `engine-killed`, `engine-died` and whatever else the engine says.
 */
export async function train(request: TrainRequest): Promise<TrainOutcome> {
  const { runFolder, plan, clock, openLogFile } = request;
  await using log = await openEventLog({
    file: join(runFolder, 'events.jsonl'),
    clock,
    ...(openLogFile && { openFile: openLogFile }),
  });
  const { checkpointEvery, keepCheckpoints } = plan.execution;
  const keep = {
    count: keepCheckpoints,
    every: checkpointEvery === 'unknown' ? tenthOfRun(request.steps) : checkpointEvery,
  };
  let step = 0;
  try {
    const resumed = await newestCheckpoint(runFolder, plan.hash);
    step = resumed?.step ?? 0;
    await tidyCheckpoints({ runFolder, resumed, keep });
    await using session = await request.engine.start({});
    return await course({
      request,
      session,
      learnedBefore: learnedUntil(log.earlier, step),
      lossesBefore: lossCurve(log.earlier).flatMap(([at, loss]) => (at <= step ? [loss] : [])),
      note: async (event) => {
        const written = await log.append(event);
        request.onEvent?.(written);
      },
      resumed,
      keep,
      at: (reached) => {
        step = reached;
      },
    });
  } catch (error) {
    const failure = runFailure(error);
    const { code, message, hint: fix } = failure;
    try {
      const written = await log.appendLast({ type: 'run-failed', step, code, message, fix });
      request.onEvent?.(written);
    } catch {
      // The disk refuses this line too; the failure itself must still come out.
    }
    throw MartletError.is(error) && error.code === code
      ? error
      : new MartletError(code, message, { ...failure, cause: error });
  }
}

interface Course {
  readonly request: TrainRequest;
  readonly session: TrainSession;
  readonly note: (event: EventBody) => Promise<void>;
  readonly learnedBefore: number;
  /** Of the steps before, in order. */
  readonly lossesBefore: readonly number[];
  readonly resumed: SavedCheckpoint | undefined;
  readonly keep: Keep;
  /** Told how far the run is, so that a failure can say so. */
  readonly at: (step: number) => void;
}

async function course(way: Course): Promise<TrainOutcome> {
  const { request, session, note, learnedBefore, lossesBefore, resumed, keep, at } = way;
  const { plan, runFolder, steps, signal } = request;
  const { train: values, adapter } = plan.values;
  const loaded = await session.load({
    planFile: request.planFile,
    baseFolder: request.baseFolder,
    shardsFolder: request.shardsFolder,
    checkpointFolder: resumed ? join(runFolder, resumed.path) : null,
    purpose: 'training',
  });
  if (loaded.planHash !== plan.hash)
    throw new MartletError(
      'plan-mismatch',
      `the engine is executing plan ${loaded.planHash.slice(0, 12)}, not ${plan.hash.slice(0, 12)}`,
      {
        hint: 'The plan file was changed after it was made; make it again.',
      },
    );
  await note({
    type: 'run-start',
    step: resumed?.step ?? 0,
    planHash: loaded.planHash,
    engine: `${request.engine.name} (${request.engine.version})`,
    steps,
    trainableParameters: loaded.trainableParameters,
    resumedFrom: resumed?.path ?? null,
    learnedBefore,
  });

  let saved: SavedCheckpoint | null = resumed ?? null;
  let done = resumed?.step ?? 0;
  let learnedTokens = learnedBefore;
  const losses = [...lossesBefore];
  const save = async (): Promise<void> => {
    if (saved?.step === done) return;
    saved = await saveCheckpoint({
      runFolder,
      step: done,
      planHash: plan.hash,
      adapter: adapter.kind,
      keep,
      write: (folder) => session.save({ folder }),
    });
    await note({ type: 'checkpoint-saved', step: done, checkpoint: saved.path, fingerprint: saved.fingerprint });
  };

  while (done < steps && !signal?.aborted) {
    const learningRate = learningRateAt(done, steps, values);
    const window = await request.windows?.holding(done);
    if (signal?.aborted) break;
    const { memoryBytes, ...result } = await session.step({ step: done, learningRate, ...(window && { window }) });
    refuseNotFinite({ values: { loss: result.loss, gradient: result.gradientNorm }, step: done + 1, learningRate });
    done++;
    at(done);
    learnedTokens += result.learnedTokens;
    losses.push(result.loss);
    await note({ type: 'step-end', step: done, learningRate, ...result, memoryGiB: memoryBytes / 2 ** 30 });
    if (plan.execution.evalEvery && request.hasHeldOut && done % plan.execution.evalEvery === 0) {
      const { loss, learnedTokens, seconds } = await session.evaluate({ split: 'heldout' });
      refuseNotFinite({ values: { 'held-out loss': loss }, step: done, learningRate });
      await note({ type: 'eval-end', step: done, loss, learnedTokens, seconds });
    }
    if (done % keep.every === 0 && done < steps) await save();
  }
  await save();
  const reason = done >= steps ? 'complete' : 'stopped';
  const worse = reason === 'complete' ? worsened(losses) : undefined;
  if (worse !== undefined) await note({ type: 'warning', step: done, code: 'loss-rose', message: worse });
  await note({ type: 'run-end', step: done, reason, checkpoint: saved?.path ?? null });
  return { reason, step: done, checkpoint: saved, learnedTokens };
}

/** Steps at the end whose mean counts: the rows of a single step may be hard ones. */
const lastSteps = 5;

/** What to say of a run that ends far above where it began; the loss of untouched weights is that of its first step. */
function worsened(losses: readonly number[]): string | undefined {
  const [first = 0, ...later] = losses;
  const end = later.slice(-Math.min(lastSteps, Math.ceil(later.length / 2)));
  const last = end.reduce((sum, loss) => sum + loss, 0) / end.length;
  // A nat more: each token has become less than half as likely.
  if (end.length === 0 || last < first + 1 || last < 1.5 * first) return undefined;
  return `the loss rose from ${first.toFixed(4)} in the first step to ${last.toFixed(4)} in the last ${end.length === 1 ? 'one' : String(end.length)}: the model has become worse; lower train.learningRate`;
}

/** The engine leaves the weights alone in such a step, so that the checkpoint before it is still good. */
function refuseNotFinite(found: {
  readonly values: Readonly<Record<string, number>>;
  readonly step: number;
  readonly learningRate: number;
}): void {
  for (const [name, value] of Object.entries(found.values))
    if (!Number.isFinite(value))
      throw new MartletError('loss-not-finite', `the ${name} of step ${found.step} is ${value}`, {
        hint: `No checkpoint was made of it. Lower train.learningRate (it was ${found.learningRate.toPrecision(3)}), keep train.clipNorm above 0, and look at the rows of the step.`,
      });
}
