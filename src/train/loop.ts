import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import type { RunEvent } from '../schema/event.ts';
import type { Plan } from '../schema/plan.ts';
import type { TrainEngine, TrainSession } from '../spec/train-engine.ts';
import { newestCheckpoint, type SavedCheckpoint, saveCheckpoint } from './checkpoints.ts';
import { openEventLog } from './event-log.ts';
import { learningRateAt } from './schedule.ts';

export interface TrainRequest {
  readonly plan: Plan;
  readonly planFile: string;
  readonly baseFolder: string;
  readonly shardsFolder: string;
  /** Steps of the shards' schedule. */
  readonly steps: number;
  readonly hasHeldOut: boolean;
  readonly runFolder: string;
  readonly engine: TrainEngine;
  readonly threads: number;
  readonly clock: () => Date;
  /** Aborted: the step under way ends, a checkpoint is saved, the run stops. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: RunEvent) => void;
}

export interface TrainOutcome {
  readonly reason: 'complete' | 'stopped';
  readonly step: number;
  readonly checkpoint: SavedCheckpoint | null;
}

/**
 * Trains a run from its newest whole checkpoint, or from the start. The same loop for every engine: it owns steps, learning rate,
 * events and checkpoints. A failure is recorded as `run-failed`, and leaves every earlier checkpoint whole.
 * @throws MartletError `plan-mismatch`, `loss-not-finite`, `out-of-memory`, `disk-full` and whatever the engine says.
 */
export async function train(request: TrainRequest): Promise<TrainOutcome> {
  const log = await openEventLog(join(request.runFolder, 'events.jsonl'), request.clock);
  let step = 0;
  const note = async (event: Parameters<typeof log.append>[0]): Promise<void> => {
    request.onEvent?.(await log.append(event));
  };
  try {
    const resumed = await newestCheckpoint(request.runFolder, request.plan.hash);
    step = resumed?.step ?? 0;
    await using session = await request.engine.start({ threads: request.threads });
    return await course({
      request,
      session,
      note,
      resumed,
      at: (reached) => {
        step = reached;
      },
    });
  } catch (error) {
    const { code, message, hint } = failureOf(error);
    // A full disk may refuse this line too; the failure itself must still come out.
    await note({ type: 'run-failed', step, code, message, fix: hint }).catch(() => {});
    throw MartletError.is(error) ? error : new MartletError(code, message, { hint, cause: error });
  } finally {
    await log[Symbol.asyncDispose]();
  }
}

interface Course {
  readonly request: TrainRequest;
  readonly session: TrainSession;
  readonly note: (event: Parameters<Awaited<ReturnType<typeof openEventLog>>['append']>[0]) => Promise<void>;
  readonly resumed: SavedCheckpoint | undefined;
  /** Told how far the run is, so that a failure can say so. */
  readonly at: (step: number) => void;
}

async function course({ request, session, note, resumed, at }: Course): Promise<TrainOutcome> {
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
  });

  let saved: SavedCheckpoint | null = resumed ?? null;
  let done = resumed?.step ?? 0;
  const save = async (): Promise<void> => {
    if (saved?.step === done) return;
    saved = await saveCheckpoint({
      runFolder,
      step: done,
      planHash: plan.hash,
      adapter: adapter.kind,
      keep: plan.execution.keepCheckpoints,
      write: (folder) => session.save({ folder }),
    });
    await note({ type: 'checkpoint-saved', step: done, checkpoint: saved.path, fingerprint: saved.fingerprint });
  };
  const every =
    plan.execution.checkpointEvery === 'unknown'
      ? Math.min(100, Math.max(1, Math.ceil(steps / 10)))
      : plan.execution.checkpointEvery;

  while (done < steps && !signal?.aborted) {
    const learningRate = learningRateAt(done, steps, values);
    const { memoryBytes, ...result } = await session.step({ step: done, learningRate });
    if (!Number.isFinite(result.loss) || !Number.isFinite(result.gradientNorm))
      throw new MartletError(
        'loss-not-finite',
        `the ${Number.isFinite(result.loss) ? 'gradient' : 'loss'} of step ${done + 1} is not a number`,
        {
          hint: `The weights were not touched by that step. Lower train.learningRate (it was ${learningRate.toPrecision(3)}), keep train.clipNorm above 0, and look at the rows of the step.`,
        },
      );
    done++;
    at(done);
    await note({ type: 'step-end', step: done, learningRate, ...result, memoryGiB: memoryBytes / 2 ** 30 });
    if (plan.execution.evalEvery && request.hasHeldOut && done % plan.execution.evalEvery === 0) {
      const { loss, learnedTokens, seconds } = await session.evaluate({ split: 'heldout' });
      await note({ type: 'eval-end', step: done, loss, learnedTokens, seconds });
    }
    if (done % every === 0 && done < steps) await save();
  }
  await save();
  const reason = done >= steps ? 'complete' : 'stopped';
  await note({ type: 'run-end', step: done, reason, checkpoint: saved?.path ?? null });
  return { reason, step: done, checkpoint: saved };
}

function failureOf(error: unknown): { readonly code: string; readonly message: string; readonly hint: string } {
  const message = error instanceof Error ? error.message : String(error);
  if (MartletError.is(error))
    return {
      code: error.code,
      message,
      hint: error.hint ?? 'Mend the cause and run it again: it goes on from the last checkpoint.',
    };
  if ((error as NodeJS.ErrnoException | null)?.code === 'ENOSPC')
    return {
      code: 'disk-full',
      message: `the disk is full: ${message}`,
      hint: 'Free some space and run it again: earlier checkpoints are whole.',
    };
  return { code: 'run-failed', message, hint: 'Run it again: it goes on from the last checkpoint.' };
}
