import { cp, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import type { RunEvent } from '../schema/event.ts';
import type { TrainEngine } from '../spec/train-engine.ts';
import { hasCode, hashFolder } from '../store/files/files.ts';
import { readEvents } from '../store/runs/run-events.ts';
import type { CliContext } from './context.ts';
import { storeRoot } from './store-root.ts';
import { walkRecipe } from './walk-recipe.ts';

export interface VerifyResumeRequest {
  /** The recipe. */
  readonly file: string;
  readonly flags: readonly string[];
  readonly base?: string | undefined;
  /** Steps of each run, at least 2. A recipe with fewer takes them all. */
  readonly steps: number;
  /** One line at a time, for people. */
  readonly say: (line: string) => void;
  /** Puts something between the loop and the engine of the second run; for tests. */
  readonly wrapEngine?: (engine: TrainEngine) => TrainEngine;
}

export interface ResumeVerdict {
  readonly ok: boolean;
  readonly plan: string;
  readonly steps: number;
  /** The second run was stopped after this step, and its engine killed while it computed that one. */
  readonly stoppedAfter: number;
  readonly killedDuring: number;
  /** Checkpoints it went on from. */
  readonly resumedFrom: readonly string[];
  readonly compared: readonly Compared[];
}

export interface Compared {
  readonly what: string;
  readonly equal: boolean;
  /** What is equal, or where it differs first. */
  readonly detail: string;
}

type StepEnd = Extract<RunEvent, { type: 'step-end' }>;

/**
 * Trains a few steps of a recipe twice in a scratch store: once undisturbed; once stopped after a step, gone on with, its
 * engine killed in the middle of a later step, and gone on with again. Equal bytes at the end show that nothing that decides
 * the course (weights, optimiser, place in the data, random numbers) is lost on the way.
 * @throws MartletError `verify-too-short` when the recipe has less than two steps.
 */
export async function verifyResume(context: CliContext, request: VerifyResumeRequest): Promise<ResumeVerdict> {
  const scratch = await mkdtemp(join(tmpdir(), 'martlet-verify-'));
  try {
    return await compareRuns(context, request, scratch);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function compareRuns(context: CliContext, request: VerifyResumeRequest, scratch: string): Promise<ResumeVerdict> {
  const { say } = request;
  const stores = { whole: join(scratch, 'whole'), broken: join(scratch, 'broken') };
  const { file, base } = request;
  // A checkpoint every other step, so that a kill can lose a step that was done already.
  const flags = [...request.flags, `train.maxSteps=${request.steps}`, 'train.checkpointEvery=2'];
  const walk = (store: string, more: Partial<Parameters<typeof walkRecipe>[1]> = {}, signal = context.signal) =>
    walkRecipe(
      { ...context, signal, env: { ...context.env, MARTLET_STORE: store } },
      { file, base, flags, last: 'train', quiet: true, ...more },
    );

  await copyIfThere(join(storeRoot(context), 'feedback'), join(stores.whole, 'feedback'));
  say('rows and shards, in a scratch store');
  await walk(stores.whole, { last: 'shard' });
  await cp(stores.whole, stores.broken, { recursive: true });

  say('first run: undisturbed');
  const undisturbed = (await walk(stores.whole)).walk;
  const runName = undisturbed.run?.address ?? '';
  const eventsIn = (store: string) => readEvents(join(store, 'runs', runName, 'events.jsonl'));
  const steps = lastSteps(await eventsIn(stores.whole));
  if (steps.length < 2)
    throw new MartletError(
      'verify-too-short',
      `the recipe has ${steps.length} step, so there is no middle to stop in`,
      {
        hint: 'Lower train.rowsPerStep with --set, or give more rows.',
      },
    );

  if (steps.length < request.steps)
    say(
      `the recipe comes to ${steps.length} steps, fewer than the ${request.steps} of --steps: each run takes them all`,
    );

  const killedDuring = steps.length - (steps.length % 2);
  say('second run: stopped after step 1');
  const stop = new AbortController();
  const wrap = request.wrapEngine ?? ((engine) => engine);
  const stopped = walk(
    stores.broken,
    { wrapEngine: wrap, onEvent: ({ type }) => type === 'step-end' && stop.abort() },
    AbortSignal.any([context.signal, stop.signal]),
  );
  await endsWith(stopped, 'stopped', context.signal);
  say(`second run: resumed, its engine killed during step ${killedDuring}`);
  const killed = walk(stores.broken, { wrapEngine: (engine) => wrap(dyingEngine(engine, killedDuring - 1)) });
  await endsWith(killed, 'engine-stopped', context.signal);
  say('second run: resumed, to the end');
  await walk(stores.broken, { wrapEngine: wrap });

  const events = await eventsIn(stores.broken);
  const resumedFrom = events.flatMap((event) => (event.type === 'run-start' && event.resumedFrom) || []);
  const compared = [
    // A run that began anew would end with the same bytes too, and show nothing.
    { what: 'resumed after each of 2 interruptions', equal: resumedFrom.length === 2, detail: resumedFrom.join(', ') },
    ...(await compareCheckpoints(join(stores.whole, 'runs', runName), join(stores.broken, 'runs', runName))),
    compareSteps(steps, lastSteps(events)),
  ];
  return {
    ok: compared.every(({ equal }) => equal),
    plan: undisturbed.plan.hash,
    steps: steps.length,
    stoppedAfter: 1,
    killedDuring,
    resumedFrom,
    compared,
  };
}

/** An engine whose process is killed while it computes a step. */
function dyingEngine(engine: TrainEngine, step: number): TrainEngine {
  return {
    ...engine,
    async start(options) {
      const session = await engine.start(options);
      return {
        ...session,
        async step(request) {
          const computing = session.step(request);
          if (request.step === step) await session[Symbol.asyncDispose]();
          return computing;
        },
      };
    },
  };
}

async function endsWith(walk: Promise<unknown>, code: string, signal: AbortSignal): Promise<void> {
  try {
    await walk;
  } catch (error) {
    signal.throwIfAborted();
    if (MartletError.is(error) && error.code === code) return;
    throw error;
  }
  throw new MartletError('bug', `a run that was to end with ${code} came to its end`);
}

/**
 * File by file, the checkpoints that both runs keep: a stop makes one of its own where it comes. The last one is the
 * result, so that one side has to have it if the other does.
 */
async function compareCheckpoints(whole: string, broken: string): Promise<Compared[]> {
  const [undisturbed, resumed] = await Promise.all([hashCheckpoints(whole), hashCheckpoints(broken)]);
  const files = [...new Set([...undisturbed.keys(), ...resumed.keys()])].sort();
  const [here, there] = [undisturbed, resumed].map((hashes) => new Set([...hashes.keys()].map(checkpointOf)));
  const last = checkpointOf(files.at(-1) ?? '');
  return files
    .filter((file) => {
      const checkpoint = checkpointOf(file);
      return checkpoint === last || (here?.has(checkpoint) && there?.has(checkpoint));
    })
    .map((file) => sameBytes(file, undisturbed.get(file), resumed.get(file)));
}

async function hashCheckpoints(run: string): Promise<ReadonlyMap<string, string>> {
  return new Map(Object.entries(await hashFolder(join(run, 'checkpoints')).catch(() => ({}))));
}

function checkpointOf(file: string): string {
  return file.split('/')[0] ?? file;
}

function sameBytes(what: string, undisturbed: string | undefined, resumed: string | undefined): Compared {
  const short = (hash: string | undefined): string => hash?.slice(0, 12) ?? 'missing';
  const equal = undisturbed === resumed;
  const detail = equal ? short(resumed) : `undisturbed ${short(undisturbed)}, resumed ${short(resumed)}`;
  return { what, equal, detail };
}

/** Each step as it counts: of one that was computed again, the last time. */
function lastSteps(events: readonly RunEvent[]): StepEnd[] {
  const steps = new Map<number, StepEnd>();
  for (const event of events) if (event.type === 'step-end') steps.set(event.step, event);
  return [...steps.values()].sort((a, b) => a.step - b.step);
}

const exactFields = ['loss', 'gradientNorm', 'learningRate', 'tokens', 'learnedTokens', 'rows'] as const;

function compareSteps(expected: readonly StepEnd[], found: readonly StepEnd[]): Compared {
  const what = `${expected.length} steps: ${exactFields.join(', ')}`;
  for (const [index, step] of expected.entries())
    for (const field of exactFields)
      if (step[field] !== found[index]?.[field])
        return {
          what,
          equal: false,
          detail: `${field} of step ${step.step}: undisturbed ${step[field]}, resumed ${found[index]?.[field] ?? 'nothing'}`,
        };
  const last = expected.at(-1);
  return { what, equal: true, detail: `last loss ${last?.loss}` };
}

async function copyIfThere(from: string, to: string): Promise<void> {
  try {
    await stat(from);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  await cp(from, to, { recursive: true });
}
