import type { PrepareRequest, TrainEngine, TrainSession } from '../spec/train-engine.ts';

export interface EngineAhead extends AsyncDisposable {
  /** The first session anybody asks of it is the one that was begun; later ones are sessions of their own. */
  readonly engine: TrainEngine;
  /** Starts a session, while its user is still getting ready. */
  begin(): void;
  /** Tells it what it will be asked to load. */
  prepare(request: PrepareRequest): void;
}

/** An engine that may start before it is asked to. Disposing stops a session that nobody took. */
export function startAhead(engine: TrainEngine): EngineAhead {
  let begun: Promise<TrainSession> | undefined;
  const take = (): Promise<TrainSession> | undefined => {
    const session = begun;
    begun = undefined;
    return session;
  };
  // What goes wrong ahead of time is told to whoever takes the session.
  const ignore = (): void => {};
  return {
    engine: { ...engine, start: (options) => endedBy(options.signal, take()) ?? engine.start(options) },
    begin() {
      begun ??= engine.start({});
      begun.catch(ignore);
    },
    prepare(request) {
      begun?.then((session) => session.prepare(request)).catch(ignore);
    },
    async [Symbol.asyncDispose]() {
      await (await take()?.catch(ignore))?.[Symbol.asyncDispose]();
    },
  };
}

/** A session that was begun before anybody could say when it is to end. */
function endedBy(signal: AbortSignal | undefined, begun: Promise<TrainSession> | undefined) {
  return begun?.then(async (session) => {
    const end = (): void => void session[Symbol.asyncDispose]();
    if (signal?.aborted) end();
    signal?.addEventListener('abort', end, { once: true });
    return session;
  });
}
