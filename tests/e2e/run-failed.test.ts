import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { RunEvent } from '../../src/schema/event.ts';
import { readEvents } from '../../src/store/runs/run-events.ts';
import { newestCheckpoint } from '../../src/train/checkpoints.ts';
import { requireOrSkip } from '../support/skip.ts';
import { childOf, martletBin, startMartlet, writeTinyRecipe } from '../support/tiny-recipe.ts';

// Limits are set by a shell in front of the real command; nothing of Martlet is replaced.
beforeEach((context) =>
  requireOrSkip(context, process.platform === 'linux', { kind: 'platform', reason: 'limits are set with ulimit' }),
);

let scratch = '';
let recipe = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'martlet-failed-'));
  recipe = await writeTinyRecipe(scratch, {
    rows: 96,
    train: '{ epochs: 8, rowsPerStep: 8, maxSteps: 24, checkpointEvery: 2, learningRate: 1e-2 }',
  });
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

const train = (store: string, ...more: string[]): string[] => [
  '--store',
  join(scratch, store),
  'train',
  recipe,
  ...more,
];
const runFolder = (store: string): string => join(scratch, store, 'runs/tiny@1');
const eventsOf = (store: string): Promise<readonly RunEvent[]> => readEvents(join(runFolder(store), 'events.jsonl'));

/** Long enough that a test reaches it while it trains. */
const long = ['--set', 'train.maxSteps=70', '--set', 'train.epochs=8'];

async function failureOf(store: string): Promise<Extract<RunEvent, { type: 'run-failed' }>> {
  const last = (await eventsOf(store)).at(-1);
  if (last?.type !== 'run-failed') throw new Error(`the last event is ${last?.type}`);
  return last;
}

/** The same command without the fault comes to its end, from the newest checkpoint there was. */
async function goesOn(store: string, ...flags: string[]): Promise<void> {
  const { planHash } = JSON.parse(await readFile(join(runFolder(store), 'run.json'), 'utf8')) as { planHash: string };
  const newest = await newestCheckpoint(runFolder(store), planHash);
  const again = await startMartlet(train(store, ...flags)).ended;
  expect(again.code, again.err).toBe(0);
  const start = (await eventsOf(store)).findLast(({ type }) => type === 'run-start');
  expect(start).toMatchObject({ resumedFrom: newest?.path ?? null });
  expect((await readdir(runFolder(store))).filter((name) => name.startsWith('.'))).toEqual([]);
}

test('a loss that is no number ends the run, and the checkpoints before it are whole', async () => {
  const flags = ['--set', 'train.learningRate=1e30', '--set', 'train.clipNorm=0', '--set', 'train.checkpointEvery=1'];
  const failed = await startMartlet(train('nan', ...flags)).ended;
  expect(failed.code).toBe(1);
  expect(failed.err).toMatch(/\[loss-not-finite\]\nfix {3}.*train\.learningRate/);
  const { code, fix, step } = await failureOf('nan');
  expect(code).toBe('loss-not-finite');
  expect(fix).toContain('train.learningRate');
  const checkpoints = await readdir(join(runFolder('nan'), 'checkpoints'));
  expect(checkpoints).toContain(`step-${String(step).padStart(6, '0')}`);
  expect(checkpoints.filter((name) => name.startsWith('.'))).toEqual([]);
});

test('a checkpoint that cannot be written whole ends the run, and the same command goes on', async () => {
  const built = await startMartlet(['--store', join(scratch, 'large'), 'shard', recipe]).ended;
  expect(built.code, built.err).toBe(0);
  // A checkpoint of this adapter has files of more than 16 KiB; the events are shorter than that at step 2.
  const failed = await startMartlet(train('large'), { limits: 'ulimit -f 16' }).ended;
  expect(failed.code, failed.err).toBe(1);
  expect(failed.err).toContain('[file-too-large]');
  expect(await failureOf('large')).toMatchObject({
    code: 'file-too-large',
    step: 2,
    fix: expect.stringContaining('ulimit'),
  });
  expect(await readdir(join(runFolder('large'), 'checkpoints'))).toEqual([]);
  await goesOn('large');
});

test('a disk that fills ends the run, and the same command goes on where there is room', async (context) => {
  const usable = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;
  requireOrSkip(context, usable, { kind: 'platform', reason: 'a small file system needs user namespaces' });
  const disk = join(scratch, 'disk');
  await mkdir(disk);
  const flags = ['--set', 'train.keepCheckpoints=1000'];
  // What is in the small file system is seen from inside only, so it is copied out at the end.
  const script =
    'mount -t tmpfs -o size=400k tmpfs "$0" && out="$1" && shift && { "$@"; code=$?; cp -r "$0/store" "$out"; exit $code; }';
  const inside = [process.execPath, martletBin, '--store', join(disk, 'store'), 'train', recipe, ...flags];
  const args = ['-rm', 'bash', '-c', script, disk, join(scratch, 'full'), ...inside];
  const { status, stderr } = spawnSync('unshare', args, { encoding: 'utf8' });
  expect(status, stderr).toBe(1);
  expect(stderr).toContain('[disk-full]');
  const { code, fix, step } = await failureOf('full');
  expect(code).toBe('disk-full');
  expect(fix).toContain('Free some space');
  const checkpoints = await readdir(join(runFolder('full'), 'checkpoints'));
  expect(checkpoints.length).toBeGreaterThanOrEqual(1);
  // All whole ones: the one that did not fit is gone.
  expect(checkpoints).toHaveLength(step / 2 - 1);
  await goesOn('full', ...flags);
});

test.each([1e9])('memory that runs out in the engine (%d bytes of address space) ends the run', async (bytes) => {
  const store = `memory-${bytes}`;
  const run = startMartlet(train(store, ...long));
  await run.said(/^Training/m);
  // Less than it has already: whatever asks for more next (an array, a thread, a page) is refused.
  const limited = spawnSync('prlimit', ['--pid', String(childOf(run.child.pid)), `--as=${bytes}`], {
    encoding: 'utf8',
  });
  expect(limited.status, limited.stderr).toBe(0);
  const failed = await run.ended;
  expect(failed.code, failed.err).toBe(1);
  // Native code that does not look at what malloc gave it ends by a signal, without a word.
  const { code, fix } = await failureOf(store);
  expect(failed.err).toContain(`[${code}]`);
  expect(['out-of-memory', 'engine-died']).toContain(code);
  expect(fix).toContain('train.packTokens');
  await goesOn(store, ...long);
});

test('an engine that is killed ends the run, and the same command goes on', async () => {
  const run = startMartlet(train('killed', ...long));
  await run.said(/saved checkpoints/);
  const engine = childOf(run.child.pid);
  if (engine === undefined) throw new Error('there is no engine process');
  process.kill(engine, 'SIGKILL');
  const { code, err } = await run.ended;
  expect(code, err).toBe(1);
  expect(err).toContain('[engine-killed]');
  expect((await failureOf('killed')).fix).toContain('memory');
  await goesOn('killed', ...long);
});

test('--resume begins no run: it wants a checkpoint to go on from', async () => {
  const refused = await startMartlet(train('demanded', ...long, '--resume')).ended;
  expect(refused.code).toBe(1);
  expect(refused.err).toMatch(
    /there is no unfinished run of tiny with plan [0-9a-f]{12}, shards tiny@1 on .*\[nothing-to-resume\]/,
  );
  expect(refused.err).toMatch(/fix {3}Leave out --resume/);
  await expect(readdir(join(scratch, 'demanded/runs'))).rejects.toMatchObject({ code: 'ENOENT' });

  const begun = startMartlet(train('demanded', ...long));
  await begun.said(/saved checkpoints/);
  begun.child.kill('SIGINT');
  const stopped = await begun.ended;
  expect({ code: stopped.code, said: stopped.err.includes('[stopped]') }).toEqual({ code: 130, said: true });
  // More room for checkpoints is another plan document, but the same run.
  const resumed = await startMartlet(train('demanded', ...long, '--resume', '--set', 'train.keepCheckpoints=3')).ended;
  expect(resumed.code, resumed.err).toBe(0);
  expect(resumed.err).toContain('Resuming from checkpoints/');
  expect(await readdir(join(scratch, 'demanded/runs'))).toEqual(['tiny@1']);
  expect((await startMartlet(train('demanded', ...long, '--resume')).ended).code).toBe(0);
});
