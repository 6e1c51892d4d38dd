import { setTimeout as after } from 'node:timers/promises';
import { expect } from 'vitest';
import { randomStream } from '../../src/core/random.ts';
import { startMartlet } from './tiny-recipe.ts';

export interface KilledStage {
  /** Such as `shard recipe.yaml`. */
  readonly command: readonly string[];
  readonly store: string;
  readonly seed: number;
  /** It is killed within so many milliseconds of its start. */
  readonly withinMs: number;
  readonly times: number;
  /** Told of each kill, once the process is gone. */
  readonly onKilled?: () => Promise<void>;
}

/** A command, killed at seeded moments; with another number of threads each time. @returns how often it was killed. */
export async function killAgainAndAgain(request: KilledStage): Promise<number> {
  const { command, store, times, withinMs } = request;
  const random = randomStream(request.seed);
  const args = () => ['--store', store, ...command, '--set', `execution.threads=${1 + random.below(2)}`];
  for (let killed = 0; killed < times; killed++) {
    const run = startMartlet(args());
    await Promise.race([after(random.uniform() * withinMs), run.ended]);
    run.child.kill('SIGKILL');
    const { code, signal, err } = await run.ended;
    if (code === 0) return killed;
    expect(signal, err).toBe('SIGKILL');
    await request.onKilled?.();
  }
  const last = await startMartlet(args()).ended;
  expect(last.code, last.err).toBe(0);
  return times;
}
