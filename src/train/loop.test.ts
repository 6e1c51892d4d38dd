import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MartletError } from '../core/error.ts';
import { randomStream } from '../core/random.ts';
import { lossCurve, readEvents } from '../store/runs/run-events.ts';
import { type FakeTrainEngineOptions, fakeTrainEngine } from '../testing/fake-train-engine.ts';
import { testPlan } from '../testing/test-plan.ts';
import { newestCheckpoint } from './checkpoints.ts';
import { type TrainOutcome, type TrainRequest, train } from './loop.ts';

const steps = 6;
const plan = testPlan({ flags: [`train.maxSteps=${steps}`, 'train.checkpointEvery=2', 'train.learningRate=0.1'] });

let scratch = '';
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'martlet-loop-'));
});
afterEach(() => rm(scratch, { recursive: true, force: true }));

interface Runs {
  readonly run?: string;
  readonly engine?: Partial<FakeTrainEngineOptions>;
  readonly request?: Partial<TrainRequest>;
}

async function trainIn({ run = 'run', engine, request }: Runs): Promise<TrainOutcome> {
  const runFolder = join(scratch, run);
  await mkdir(runFolder, { recursive: true });
  return train({
    plan,
    planFile: '',
    baseFolder: '',
    shardsFolder: '',
    steps,
    hasHeldOut: false,
    runFolder,
    engine: fakeTrainEngine({ planHash: plan.hash, ...engine }),
    clock: () => new Date(0),
    ...request,
  });
}

const eventsOf = (run = 'run') => readEvents(join(scratch, run, 'events.jsonl'));
const checkpointsOf = async (run = 'run') => (await readdir(join(scratch, run, 'checkpoints'))).sort();
const finalState = (run = 'run') => readFile(join(scratch, run, 'checkpoints/step-000006/state.json'), 'utf8');
const systemError = (code: string): Error => Object.assign(new Error(`${code}: refused, write`), { code });

/** Runs into the failure, looks at what is left, then goes on without it to the end of an undisturbed run. */
async function failsThenResumes(runs: Runs, expected: { code: string; step: number; fix: RegExp }): Promise<void> {
  const seen: string[] = [];
  const request = { ...runs.request, onEvent: (event: { type: string }) => void seen.push(event.type) };
  await expect(trainIn({ ...runs, request })).rejects.toMatchObject({ code: expected.code, hint: expected.fix });
  const last = (await eventsOf()).at(-1);
  expect(last).toMatchObject({ type: 'run-failed', code: expected.code, step: expected.step });
  expect(last?.type === 'run-failed' && last.fix).toMatch(expected.fix);
  expect(seen.at(-1)).toBe('run-failed');
  const newest = await newestCheckpoint(join(scratch, 'run'), plan.hash);
  expect(newest?.step ?? 0).toBe(expected.step - (expected.step % 2));
  expect((await readdir(join(scratch, 'run'))).filter((name) => name.startsWith('.'))).toEqual([]);

  await trainIn({ run: 'undisturbed' });
  expect((await trainIn({})).reason).toBe('complete');
  expect(await finalState()).toBe(await finalState('undisturbed'));
  expect(lossCurve(await eventsOf())).toEqual(lossCurve(await eventsOf('undisturbed')));
  expect(await checkpointsOf()).toEqual(['step-000004', 'step-000006']);
}

/** Throws once the step is reached. */
const failingStep = (step: number, error: Error): Partial<FakeTrainEngineOptions> => ({
  step: (request) => {
    if (request.step === step) throw error;
    return undefined;
  },
});

describe('a run that fails says why, and what was saved before stays good', () => {
  test.each([{ loss: Number.NaN }, { loss: Number.POSITIVE_INFINITY }, { gradientNorm: Number.NaN }])(
    '%o',
    async (result) => {
      await failsThenResumes(
        { engine: { step: ({ step }) => (step === 3 ? result : undefined) } },
        { code: 'loss-not-finite', step: 3, fix: /Lower train\.learningRate \(it was 0\.0\d+\)/ },
      );
    },
  );

  test('a held-out loss that is no number', async () => {
    const watched = { ...plan, execution: { ...plan.execution, evalEvery: 1 } };
    const request = { plan: watched, hasHeldOut: true };
    await expect(trainIn({ engine: { heldOutLoss: Number.NaN }, request })).rejects.toMatchObject({
      code: 'loss-not-finite',
      message: 'the held-out loss of step 1 is NaN',
    });
    expect((await eventsOf()).at(-1)).toMatchObject({ type: 'run-failed', code: 'loss-not-finite', step: 1 });
  });

  test.each([
    ['ENOSPC', 'disk-full', /Free some space/],
    ['EDQUOT', 'disk-full', /Free some space/],
    ['EFBIG', 'file-too-large', /ulimit -f/],
    ['EIO', 'disk-failed', /dmesg/],
  ])('%s in the middle of a checkpoint', async (system, code, fix) => {
    const save = (folder: string): void => {
      if (folder.includes('000004')) throw systemError(system);
    };
    // The checkpoint of step 4 is not there; the one of step 2 is.
    const failed = trainIn({ engine: { save } });
    await expect(failed).rejects.toMatchObject({ code, retryable: true });
    expect(await checkpointsOf()).toEqual(['step-000002']);
    expect((await eventsOf()).at(-1)).toMatchObject({
      type: 'run-failed',
      code,
      step: 4,
      fix: expect.stringMatching(fix),
    });
    await trainIn({ run: 'undisturbed' });
    await trainIn({});
    expect(await finalState()).toBe(await finalState('undisturbed'));
  });

  test('an engine that ran out of memory, was killed, or threw', async () => {
    const named = new MartletError('engine-killed', 'the engine process was killed', { hint: 'Run it again.' });
    await failsThenResumes({ engine: failingStep(4, named) }, { code: 'engine-killed', step: 4, fix: /Run it again/ });
    await rm(join(scratch, 'run'), { recursive: true });
    const memory = new Error('std::bad_alloc');
    await failsThenResumes({ engine: failingStep(2, memory) }, { code: 'out-of-memory', step: 2, fix: /packTokens/ });
    await rm(join(scratch, 'run'), { recursive: true });
    await failsThenResumes(
      { engine: failingStep(1, new Error()) },
      { code: 'run-failed', step: 1, fix: /run it again/ },
    );
  });

  test('an engine that does not start, or answers for another plan', async () => {
    const start = (): never => {
      throw systemError('ENOMEM');
    };
    await expect(trainIn({ engine: { start } })).rejects.toMatchObject({ code: 'out-of-memory' });
    await expect(trainIn({ engine: { planHash: 'f'.repeat(64) } })).rejects.toMatchObject({ code: 'plan-mismatch' });
    const events = await eventsOf();
    expect(events.map(({ type }) => type)).toEqual(['run-failed', 'run-failed']);
    expect(events.map(({ sequence, step }) => [sequence, step])).toEqual([
      [0, 0],
      [1, 0],
    ]);
  });
});

describe('a disk that fills while an event is written', () => {
  /** A disk with so many bytes left for the log; space that is kept in reserve counts once it is given back. */
  const smallDisk =
    (room: number): NonNullable<TrainRequest['openLogFile']> =>
    async (file) => {
      const handle = await open(file, 'a');
      return {
        appendFile: async (data) => {
          const left =
            room + (existsSync(join(scratch, 'run/.events.reserve')) ? 0 : 4096) - (await handle.stat()).size;
          const line = Buffer.from(data as Uint8Array);
          await handle.appendFile(line.subarray(0, Math.max(0, left)));
          if (line.length > left) throw systemError('ENOSPC');
        },
        datasync: () => handle.datasync(),
        truncate: (length) => handle.truncate(length),
        close: () => handle.close(),
      };
    };

  test.each([100, 700, 1100, 1500])('%d bytes are left', async (room) => {
    await expect(trainIn({ request: { openLogFile: smallDisk(room) } })).rejects.toMatchObject({ code: 'disk-full' });
    const events = await eventsOf();
    expect(events.at(-1)).toMatchObject({ type: 'run-failed', code: 'disk-full', fix: expect.stringMatching(/Free/) });
    expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index));
    await trainIn({ run: 'undisturbed' });
    await trainIn({});
    expect(await finalState()).toBe(await finalState('undisturbed'));
  });
});

describe('what a killed process leaves behind', () => {
  test('half checkpoints and surplus ones go; a broken one is passed over', async () => {
    await trainIn({ run: 'undisturbed' });
    await expect(trainIn({ engine: failingStep(5, new Error('x')) })).rejects.toThrow();
    const at = (name: string): string => join(scratch, 'run/checkpoints', name);
    for (const name of ['.step-000006.partial', '.step-000001.removed', 'step-000001']) await mkdir(at(name));
    await writeFile(at('step-000004/state.json'), '{}');
    await trainIn({});
    expect((await eventsOf()).filter(({ type }) => type === 'run-start').at(-1)).toMatchObject({
      resumedFrom: 'checkpoints/step-000002',
      // Two tokens a step; those of steps that are done again do not count.
      learnedBefore: 4,
    });
    expect(await checkpointsOf()).toEqual(['step-000004', 'step-000006']);
    expect(await finalState()).toBe(await finalState('undisturbed'));
  });

  test('stopped at random steps, again and again: the same course to the last bit', async () => {
    const random = randomStream(11);
    await trainIn({ run: 'undisturbed' });
    for (let round = 0; round < 20; round++) {
      const run = `round-${round}`;
      for (let reason = ''; reason !== 'complete'; ) {
        const controller = new AbortController();
        const stopAfter = random.below(4);
        let done = 0;
        const onEvent: NonNullable<TrainRequest['onEvent']> = ({ type }) => {
          if (type === 'step-end' && ++done > stopAfter) controller.abort();
        };
        ({ reason } = await trainIn({ run, request: { signal: controller.signal, onEvent } }));
      }
      expect(await finalState(run)).toBe(await finalState('undisturbed'));
      expect(await checkpointsOf(run)).toEqual(await checkpointsOf('undisturbed'));
      expect(lossCurve(await eventsOf(run))).toEqual(lossCurve(await eventsOf('undisturbed')));
    }
  });
});

describe('a run whose loss rises', () => {
  const losses = (...of: number[]): Partial<FakeTrainEngineOptions> => ({
    step: ({ step }) => ({ loss: of[step] ?? 0 }),
  });
  const warnings = async (run: string) => (await eventsOf(run)).filter(({ type }) => type === 'warning');

  test('is told at its end, also when it was resumed; what is lower or only a little higher is not', async () => {
    await trainIn({ run: 'worse', engine: losses(3, 9, 10, 11, 10, 12) });
    const [warning, ...more] = await warnings('worse');
    expect(more).toEqual([]);
    expect(warning).toMatchObject({ step: 6, code: 'loss-rose' });
    expect(warning).toMatchObject({
      message: expect.stringContaining('from 3.0000 in the first step to 11.0000 in the last 3'),
    });
    expect((await eventsOf('worse')).at(-1)).toMatchObject({ type: 'run-end' });

    const end = new AbortController();
    const stop = { signal: end.signal, onEvent: ({ step }: { step: number }) => step === 4 && end.abort() };
    expect((await trainIn({ run: 'resumed', engine: losses(3, 9, 10, 11), request: stop })).reason).toBe('stopped');
    expect(await warnings('resumed')).toEqual([]);
    const gone = await trainIn({ run: 'resumed', engine: losses(0, 0, 0, 0, 10, 12) });
    expect(await warnings('resumed')).toMatchObject([{ message: expect.stringContaining('from 3.0000') }]);
    const learned = (await eventsOf('resumed')).map((event) => (event.type === 'step-end' ? event.learnedTokens : 0));
    expect(gone.learnedTokens).toBe(learned.reduce((sum, tokens) => sum + tokens));
    expect(gone.learnedTokens).toBeGreaterThan(0);

    for (const [run, ...course] of [
      ['better', 3, 2, 2, 1, 1, 1],
      ['little', 0.1, 0.5, 0.9, 0.9, 0.9, 0.9],
      ['wavering', 3, 3, 2, 9, 1, 1],
    ] as const) {
      await trainIn({ run, engine: losses(...course) });
      expect(await warnings(run), run).toEqual([]);
    }
  });
});
