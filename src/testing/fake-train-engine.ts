import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import type { StepRequest, StepResult, TrainEngine } from '../spec/train-engine.ts';
import { fakeModelConfig, fakeSession } from './fake-session.ts';

export interface FakeTrainEngineOptions {
  /** The hash it echoes: the plan's, for the loop to go on. */
  readonly planHash: string;
  /** Awaited before a step: a test holds it up here, or lets it fail. What it gives is put over the result. */
  readonly step?: (request: StepRequest) => Promise<Partial<StepResult> | undefined> | Partial<StepResult> | undefined;
  /** Awaited when half of a checkpoint is written. */
  readonly save?: (folder: string) => Promise<void> | void;
  readonly start?: () => Promise<void> | void;
  readonly heldOutLoss?: number;
}

/**
 * A training engine with one weight and one moment, which a step changes by step and learning rate, and which a checkpoint
 * holds: enough to tell whether a run was resumed exactly. Everything else is a fake session's.
 */
export function fakeTrainEngine(options: FakeTrainEngineOptions): TrainEngine {
  return {
    name: 'embedded',
    version: 'fake',
    unsupported: () => [],
    async start() {
      await options.start?.();
      let state = { weight: 1, moment: 0, steps: 0 };
      return {
        ...fakeSession(),
        async load({ checkpointFolder }) {
          if (checkpointFolder)
            state = JSON.parse(await readFile(join(checkpointFolder, 'state.json'), 'utf8')) as typeof state;
          return { planHash: options.planHash, trainableParameters: 1, config: fakeModelConfig };
        },
        async step(request) {
          const given = await options.step?.(request);
          const { step, learningRate } = request;
          if (step !== state.steps)
            throw new MartletError('fake-step', `step ${step} was asked for after ${state.steps} steps`);
          const moment = 0.9 * state.moment + 0.1 * Math.sin(step + state.weight);
          const weight = state.weight - learningRate * moment;
          state = { weight, moment, steps: step + 1 };
          return {
            loss: Math.abs(weight),
            gradientNorm: Math.abs(moment),
            tokens: 4,
            learnedTokens: 2,
            rows: 1,
            seconds: 0.001,
            memoryBytes: 2 ** 20,
            metrics: {},
            ...given,
          };
        },
        async evaluate() {
          const loss = options.heldOutLoss ?? Math.abs(state.weight);
          return { loss, learnedTokens: 1, documents: Float64Array.of(loss), seconds: 0 };
        },
        async save({ folder }) {
          const text = JSON.stringify(state);
          await writeFile(join(folder, 'state.json'), text.slice(0, 5));
          await options.save?.(folder);
          await writeFile(join(folder, 'state.json'), text);
        },
      };
    },
  };
}
