import { MartletError } from '../core/error.ts';
import { ensureOnnxRuntime, onnxRuntimePackage } from '../envs/onnxruntime.ts';
import type { Engine, EngineRequest, EngineToken } from '../spec/engine.ts';
import type { EmbeddedOptions } from './embedded.ts';
import type { ServeEvent, ServeWorkerArgument, Submission } from './serve-worker.ts';
import { startWorker } from './worker-host.ts';

export interface EmbeddedServeOptions extends EmbeddedOptions {
  readonly threads: number;
  readonly baseFolder: string;
  /** Adapter folder by the name requests use; null answers as the base. */
  readonly models: Readonly<Record<string, string | null>>;
  readonly slots: number;
  readonly maxLength: number;
}

interface Stream {
  readonly push: (token: EngineToken) => void;
  readonly fail: (error: MartletError) => void;
}

/** Answers with the same kernels and weights that trained: continuous batching, one KV cache a model name. */
export async function startEmbeddedServing(options: EmbeddedServeOptions): Promise<Engine> {
  const { home, env, threads, baseFolder, models, slots, maxLength } = options;
  await ensureOnnxRuntime(options);
  const argument: ServeWorkerArgument = { threads, home, env, baseFolder, models, slots, maxLength };
  const worker = startWorker<ServeEvent>({ module: 'serve-worker', argument });
  await worker.ready;
  const streams = new Map<number, Stream>();
  let count = 0;
  worker.onEvent((event) => {
    if ('log' in event) options.log(event.log);
    else if ('tokens' in event) for (const { id, token } of event.tokens) streams.get(id)?.push(token);
    else
      for (const id of event.failed)
        streams.get(id)?.fail(new MartletError(event.code, event.message, { retryable: true }));
  });
  void worker.ended.then((reason) => {
    for (const stream of streams.values())
      stream.fail(reason ?? new MartletError('engine-stopped', 'the engine was stopped', { retryable: true }));
  });

  return {
    name: 'embedded',
    version: `onnxruntime ${onnxRuntimePackage.version}`,
    models: Object.keys(models),
    generate(request) {
      const id = count++;
      return stream(request, {
        submit: async (target) => {
          streams.set(id, target);
          const { model, prompt, sampling, topLogProbabilities: top } = request;
          await worker.call('submit', { id, model, prompt, sampling, top } satisfies Submission);
        },
        drop: async (finished) => {
          streams.delete(id);
          if (!finished) await worker.call('drop', id).catch(() => {});
        },
      });
    },
    async health() {
      const state = (await worker.call('state', undefined)) as { active: number; waiting: number };
      return { ready: true, ...state };
    },
    [Symbol.asyncDispose]: () => worker[Symbol.asyncDispose](),
  };
}

/** Tokens as they come; leaving the loop early, or aborting, frees the slot. */
async function* stream(
  request: EngineRequest,
  wire: { readonly submit: (target: Stream) => Promise<void>; readonly drop: (finished: boolean) => Promise<void> },
): AsyncGenerator<EngineToken> {
  const queue: EngineToken[] = [];
  let failure: MartletError | undefined;
  let wake = (): void => {};
  const aborted = (): void => {
    failure ??= new MartletError('aborted', 'the request was aborted');
    wake();
  };
  request.signal?.addEventListener('abort', aborted, { once: true });
  let finished = false;
  try {
    await wire.submit({
      push(token) {
        queue.push(token);
        wake();
      },
      fail(error) {
        failure = error;
        wake();
      },
    });
    while (!finished) {
      if (request.signal?.aborted) aborted();
      const token = queue.shift();
      if (token) {
        finished = token.finishReason !== null;
        yield token;
      } else if (failure) throw failure;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  } finally {
    request.signal?.removeEventListener('abort', aborted);
    await wire.drop(finished);
  }
}
