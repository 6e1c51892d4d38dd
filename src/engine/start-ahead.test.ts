import { expect, test } from 'vitest';
import type { PrepareRequest, TrainEngine, TrainSession } from '../spec/train-engine.ts';
import { fakeSession } from '../testing/fake-session.ts';
import { startAhead } from './start-ahead.ts';

/** An engine that keeps what it started and what that was told. */
function watchedEngine(start: () => Promise<TrainSession> = async () => fakeSession()) {
  const sessions: TrainSession[] = [];
  const told: PrepareRequest[] = [];
  const engine: TrainEngine = {
    name: 'embedded',
    version: '1',
    unsupported: () => [],
    async start() {
      const session = await start();
      sessions.push(session);
      return Object.assign(session, { prepare: async (request: PrepareRequest) => void told.push(request) });
    },
  };
  return { engine, sessions, told };
}

test('who asks first gets the session that was begun, and was told; who asks next gets another', async () => {
  const { engine, sessions, told } = watchedEngine();
  await using ahead = startAhead(engine);
  ahead.begin();
  ahead.begin();
  ahead.prepare({ baseFolder: 'base' });
  const first = await ahead.engine.start({});
  expect(sessions).toEqual([first]);
  expect(told).toEqual([{ baseFolder: 'base' }]);
  expect(await ahead.engine.start({})).not.toBe(first);
  expect(sessions).toHaveLength(2);
});

test('nothing is told where nothing was begun', async () => {
  const { engine, sessions, told } = watchedEngine();
  await using ahead = startAhead(engine);
  ahead.prepare({ baseFolder: 'base' });
  await ahead.engine.start({});
  expect(sessions).toHaveLength(1);
  expect(told).toEqual([]);
});

test("a session that nobody took is stopped, one that was taken is its owner's", async () => {
  const [idle, used] = [fakeSession(), fakeSession()];
  const first = startAhead(watchedEngine(async () => idle).engine);
  first.begin();
  await first[Symbol.asyncDispose]();
  expect(idle.disposed).toBe(true);
  const second = startAhead(watchedEngine(async () => used).engine);
  second.begin();
  await second.engine.start({});
  await second[Symbol.asyncDispose]();
  expect(used.disposed).toBe(false);
});

test('a session that was begun ends with the signal of who took it', async () => {
  const session = fakeSession();
  await using ahead = startAhead(watchedEngine(async () => session).engine);
  ahead.begin();
  const controller = new AbortController();
  await ahead.engine.start({ signal: controller.signal });
  expect(session.disposed).toBe(false);
  controller.abort();
  expect(session.disposed).toBe(true);
});

test('an engine that does not start says so to whoever asks, and to nobody when nobody does', async () => {
  const broken = watchedEngine(async () => {
    throw new Error('no engine here');
  }).engine;
  const asked = startAhead(broken);
  asked.begin();
  asked.prepare({ baseFolder: 'base' });
  await expect(asked.engine.start({})).rejects.toThrow('no engine here');
  const unasked = startAhead(broken);
  unasked.begin();
  await unasked[Symbol.asyncDispose]();
});
