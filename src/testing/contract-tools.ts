import assert from 'node:assert/strict';
import type { PrepareRequest, TrainEngine, TrainSession } from '../spec/train-engine.ts';
import { type ContractRun, contractRun } from './contract-fixture.ts';
import { type Exact, exact } from './contract-measures.ts';

export interface TrainEngineContractOptions {
  readonly engine: TrainEngine;
  /** An empty folder; the caller removes it. */
  readonly folder: string;
  readonly threads?: number;
  /** Largest relative difference between two ways to the same number. 1e-4 unless given; an engine in bf16 needs more. */
  readonly tolerance?: number;
}

export interface ContractCase {
  readonly name: string;
  /** Rejects with an assertion error when the engine breaks this part of the contract. */
  readonly run: () => Promise<void>;
}

export const greedy = { temperature: 0, topP: 1, topK: 0, seed: 1, maxTokens: 5, stopTokens: [] };
export const lora = ['adapter.rank=4'];
export const withDropout = [...lora, 'adapter.dropout=0.2'];
export const full = ['adapter.kind=full', 'train.learningRate=0.001'];

/** What the cases of a contract are made with. */
export type ContractTools = ReturnType<typeof contractTools>;

export function contractTools(options: TrainEngineContractOptions) {
  const { engine, folder, threads = 1, tolerance = 1e-4 } = options;
  const start = (): Promise<TrainSession> => engine.start({});
  const runWith = (flags: readonly string[]): Promise<ContractRun> =>
    contractRun({ folder, flags: [`execution.threads=${threads}`, ...flags] });
  /** A fresh session that trains the steps `from` to `to`; `between` is asked of it after each. */
  const course = async (
    run: ContractRun,
    how: {
      readonly from?: number;
      readonly to: number;
      readonly checkpoint?: string;
      readonly save?: string;
      /** Told before `load`. */
      readonly hints?: readonly PrepareRequest[];
      readonly between?: (session: TrainSession) => Promise<unknown>;
    },
  ): Promise<Exact[]> => {
    await using session = await start();
    for (const hint of how.hints ?? []) await session.prepare(hint);
    await session.load(run.load({ checkpointFolder: how.checkpoint ?? null }));
    const results: Exact[] = [];
    for (let step = how.from ?? 0; step < how.to; step++) {
      results.push(exact(await session.step({ step, learningRate: run.plan.values.train.learningRate })));
      await how.between?.(session);
    }
    if (how.save) await session.save({ folder: how.save });
    return results;
  };
  const near = (actual: number, expected: number, what: string): void =>
    assert.ok(
      Math.abs(actual - expected) <= tolerance * Math.max(1e-3, Math.abs(expected)),
      `${what}: ${actual}, where ${expected} was expected`,
    );
  return { engine, tolerance, start, runWith, course, near };
}
