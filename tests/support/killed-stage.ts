import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
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

/**
 * A command, killed as soon as there is something to go on from and then at seeded moments; with another number of threads
 * each time. @returns how often it was killed.
 */
export async function killAgainAndAgain(request: KilledStage): Promise<number> {
  const { command, store, times, withinMs } = request;
  const random = randomStream(request.seed);
  const args = () => ['--store', store, ...command, '--set', `execution.threads=${1 + random.below(2)}`];
  for (let killed = 0; killed < times; killed++) {
    const run = startMartlet(args());
    let ended = false;
    const moment = killed === 0 ? workBegun(store, () => ended) : after(random.uniform() * withinMs);
    await Promise.race([moment, run.ended]);
    ended = true;
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

/** Whether a stage has written down part of its work, however fast the machine is just now. */
async function workBegun(store: string, isOver: () => boolean): Promise<void> {
  while (!isOver() && (await workBytes(store)) === 0) await after(2);
}

/** What unfinished stages have written in a store, in bytes. */
export async function workBytes(store: string): Promise<number> {
  const work = join(store, 'work');
  const files = await readdir(work, { recursive: true, withFileTypes: true }).catch(() => []);
  const sizes = await Promise.all(
    files
      .filter((file) => file.isFile())
      .map(({ parentPath, name }) =>
        stat(join(parentPath, name)).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
