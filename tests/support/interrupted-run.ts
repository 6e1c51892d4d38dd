import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { expect } from 'vitest';
import { randomStream } from '../../src/core/random.ts';
import type { RunEvent } from '../../src/schema/event.ts';
import { hashFolder } from '../../src/store/files/files.ts';
import { readEvents } from '../../src/store/runs/run-events.ts';
import { watchDisk } from './disk-watch.ts';
import { childOf, startMartlet } from './tiny-recipe.ts';

export interface InterruptedRun {
  readonly recipe: string;
  readonly store: string;
  readonly seed: number;
  /** How often it is ended, at most: a run may be through before. */
  readonly times: number;
  readonly ways: readonly ('kill' | 'kill-engine' | 'kill-both' | 'interrupt')[];
  /** From the first word of training on, it is ended within so many milliseconds. */
  readonly withinMs: number;
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Trains, and ends the process at seeded moments, again and again; then lets it come to its end. @returns how often it was ended. */
export async function trainInterrupted(request: InterruptedRun): Promise<number> {
  const { store, recipe, seed, times, ways, withinMs, flags = [], env } = request;
  const random = randomStream(seed);
  const args = ['--store', store, 'train', recipe, ...flags];
  for (let ended = 0; ended < times; ) {
    const way = ways[random.below(ways.length)] ?? 'kill';
    // One in eight is hit anywhere in its life, before training too.
    const anywhere = random.below(8) === 0;
    const delayMs = random.uniform() * (anywhere ? 1000 : withinMs);
    const run = startMartlet(args, { env });
    if (!anywhere) await run.said(/^(Training|Resuming)/m);
    await Promise.race([after(delayMs), run.ended]);
    const engine = childOf(run.child.pid);
    if (way === 'interrupt') run.child.kill('SIGINT');
    if (way === 'kill' || way === 'kill-both' || engine === undefined) run.child.kill('SIGKILL');
    if ((way === 'kill-engine' || way === 'kill-both') && engine !== undefined) killIfThere(engine);
    const { code, signal, err } = await run.ended;
    if (code === 0) return ended;
    ended++;
    // Nothing else may end it: an error of another kind is a defect.
    if (signal !== 'SIGKILL') expect(err).toMatch(/\[stopped\]|\[engine-killed\]|interrupted|stopped/);
  }
  const last = await startMartlet(args, { env }).ended;
  expect(last.code, last.err).toBe(0);
  return times;
}

/** Trains so while the disk is watched: what stands in `folders` stays within the budget, and the run ends as `kept` did. */
export async function expectSameWithin(
  request: Pick<InterruptedRun, 'recipe' | 'store' | 'seed' | 'flags' | 'env'>,
  { folders, diskBytes, kept }: { folders: readonly string[]; diskBytes: number; kept: FinishedRun },
): Promise<void> {
  const watch = watchDisk(folders);
  const ended = await trainInterrupted({ ...request, times: 3, ways: ['kill', 'kill-both'], withinMs: 3000 });
  watch.stop();
  expect(ended).toBeGreaterThan(0);
  expect(watch.most()).toBeLessThanOrEqual(diskBytes);
  expectSameRun(await finishedRun(request.store), kept);
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

export interface FinishedRun {
  /** sha-256 of every file of every checkpoint. */
  readonly checkpoints: Readonly<Record<string, string>>;
  readonly files: readonly string[];
  /** What is exact of a step: all but times and memory. */
  readonly steps: readonly ExactStep[];
  readonly events: readonly RunEvent[];
}

type ExactStep = Pick<
  Extract<RunEvent, { type: 'step-end' }>,
  'step' | 'loss' | 'gradientNorm' | 'learningRate' | 'tokens' | 'learnedTokens' | 'rows'
>;

/** What a finished run left. A step that was computed more than once must have come out the same each time. */
export async function finishedRun(store: string): Promise<FinishedRun> {
  const folder = join(store, 'runs/tiny@1');
  const events = await readEvents(join(folder, 'events.jsonl'));
  const steps = new Map<number, ExactStep>();
  for (const event of events) {
    if (event.type !== 'step-end') continue;
    const { step, loss, gradientNorm, learningRate, tokens, learnedTokens, rows } = event;
    const exact = { step, loss, gradientNorm, learningRate, tokens, learnedTokens, rows };
    expect(steps.get(step) ?? exact, `step ${step}, computed again`).toEqual(exact);
    steps.set(step, exact);
  }
  expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index));
  return {
    checkpoints: await hashFolder(join(folder, 'checkpoints')),
    files: (await readdir(folder)).sort(),
    steps: [...steps.values()].sort((a, b) => a.step - b.step),
    events,
  };
}

/** Time from the first step to the end of a run that nothing disturbed, in milliseconds. */
export function courseMs({ events }: FinishedRun): number {
  const at = (event: RunEvent | undefined): number => Date.parse(event?.at ?? '');
  return at(events.at(-1)) - at(events[0]);
}

export function expectSameRun(interrupted: FinishedRun, undisturbed: FinishedRun): void {
  expect(interrupted.checkpoints).toEqual(undisturbed.checkpoints);
  expect(interrupted.steps).toEqual(undisturbed.steps);
  expect(interrupted.files).toEqual(undisturbed.files);
}

/** The optimiser's moments as bytes: never all zero, or the comparison would say nothing. */
export async function momentsOf(store: string, step: number): Promise<Buffer> {
  const name = `step-${String(step).padStart(6, '0')}`;
  return readFile(join(store, 'runs/tiny@1/checkpoints', name, 'optimizer.safetensors'));
}
