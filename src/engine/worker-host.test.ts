import { expect, test } from 'vitest';
import { martletHome } from '../envs/home.ts';
import { startWorker, type WorkerProcess } from './worker-host.ts';

const { env } = process;
const start = async (signal?: AbortSignal): Promise<WorkerProcess> => {
  const worker = startWorker({ module: 'train-worker', argument: { home: martletHome(env), env }, signal });
  await worker.ready;
  return worker;
};

const kill = ({ pid }: WorkerProcess): void => {
  if (pid === undefined) throw new Error('the worker has no process');
  process.kill(pid, 'SIGKILL');
};

test('a worker killed between two calls gives the reason to the next one, and to every one after it', async () => {
  await using worker = await start();
  kill(worker);
  // Sent while the channel still looks open, then when it is known to be closed.
  const first = worker.call('gradients', undefined);
  await expect(first).rejects.toMatchObject({ code: 'engine-killed', retryable: true });
  await expect(worker.call('gradients', undefined)).rejects.toMatchObject({ code: 'engine-killed' });
  expect(await worker.ended).toMatchObject({ code: 'engine-killed', hint: expect.stringContaining('memory') });
});

test('a worker that is told to go takes its open calls with it, and gives no reason', async () => {
  const worker = await start();
  const open = worker.call('gradients', undefined).catch((error: unknown) => error);
  await worker[Symbol.asyncDispose]();
  // It may have answered just before.
  expect(['engine-stopped', 'bug']).toContain(((await open) as { code: string }).code);
  await expect(worker.call('gradients', undefined)).rejects.toMatchObject({ code: 'engine-stopped' });
  expect(await worker.ended).toBeNull();
});

test('an aborted worker ends', async () => {
  const controller = new AbortController();
  const worker = await start(controller.signal);
  controller.abort();
  expect(await worker.ended).toBeNull();
});

test('what a worker refuses keeps its code, and it answers the next call', async () => {
  await using worker = await start();
  await expect(worker.call('gradients', undefined)).rejects.toMatchObject({ code: 'bug' });
  await expect(worker.call('no-such-method', undefined)).rejects.toMatchObject({ code: 'bug' });
});

test('a worker that does not get ready is stopped, and tells every call why', async () => {
  // It looks for its home in an argument that is not there.
  await using worker = startWorker({ module: 'train-worker', argument: undefined });
  const [first, second] = [worker.call('gradients', undefined), worker.call('gradients', undefined)];
  const reason = await worker.ready.catch((error: unknown) => error);
  expect(reason).toMatchObject({ code: 'engine-failed' });
  await expect(first).rejects.toBe(reason);
  await expect(second).rejects.toBe(reason);
  expect(await worker.ended).toBeNull();
});
