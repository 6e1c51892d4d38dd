import { MartletError } from '../core/error.ts';
import type { Engine, EngineRequest, EngineToken } from '../spec/engine.ts';

export interface FakeEngineOptions {
  /** Names requests may use; `model` unless given. */
  readonly models?: readonly string[];
  /** The ids a request is answered with; behind them comes the request's first stop token. */
  readonly answer: (request: EngineRequest) => readonly number[];
  /** Awaited before each token, counted from 0: a test holds an answer up here, or lets it fail. */
  readonly before?: (request: EngineRequest, index: number) => Promise<void> | void;
}

export interface FakeEngine extends Engine {
  /** Every request, in order. */
  readonly requests: readonly EngineRequest[];
  /** Requests being answered now. */
  readonly active: number;
  readonly disposed: boolean;
}

/**
 * An engine that says what the test says, one token at a time. Token i has the log-probability -(i + 1) / 8; the
 * alternatives reported with it are itself and the ids behind it, each less likely by 1.
 */
export function fakeEngine(options: FakeEngineOptions): FakeEngine {
  const requests: EngineRequest[] = [];
  let active = 0;
  let disposed = false;
  return {
    name: 'fake',
    version: '1',
    models: options.models ?? ['model'],
    requests,
    get active() {
      return active;
    },
    get disposed() {
      return disposed;
    },
    async *generate(request) {
      requests.push(request);
      active++;
      try {
        const { maxTokens, stopTokens } = request.sampling;
        const ids = options.answer(request).slice(0, maxTokens);
        if (ids.length < maxTokens) ids.push(stopTokens[0] ?? 0);
        for (const [index, id] of ids.entries()) {
          await untilAborted(request.signal, options.before?.(request, index));
          yield token({ request, id, index, last: index === ids.length - 1 });
        }
      } finally {
        active--;
      }
    },
    async health() {
      return { ready: !disposed, active, waiting: 0 };
    },
    async [Symbol.asyncDispose]() {
      disposed = true;
    },
  };
}

function token(made: {
  readonly request: EngineRequest;
  readonly id: number;
  readonly index: number;
  readonly last: boolean;
}): EngineToken {
  const { request, id, index, last } = made;
  const { topLogProbabilities: top, sampling } = request;
  const logProbability = -(index + 1) / 8;
  return {
    id,
    logProbability: top === null ? null : logProbability,
    top: Array.from({ length: top ?? 0 }, (_, rank) => ({ id: id + rank, logProbability: logProbability - rank })),
    finishReason: sampling.stopTokens.includes(id) ? 'stop' : last ? 'length' : null,
  };
}

/** @throws MartletError `aborted`, as engines do. */
async function untilAborted(signal: AbortSignal | undefined, waited: Promise<void> | void): Promise<void> {
  const refuse = (): never => {
    throw new MartletError('aborted', 'the request was aborted');
  };
  if (signal?.aborted) refuse();
  if (!waited) return;
  let stop = (): void => {};
  const aborted = new Promise<void>((resolve) => {
    stop = resolve;
    signal?.addEventListener('abort', stop, { once: true });
  });
  try {
    await Promise.race([waited, aborted]);
  } finally {
    signal?.removeEventListener('abort', stop);
  }
  if (signal?.aborted) refuse();
}
