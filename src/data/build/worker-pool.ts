import { Worker } from 'node:worker_threads';
import { MartletError } from '../../core/error.ts';
import { threadOptions } from '../../store/thread-options.ts';
import type { JobResult } from './job.ts';
import { type Job, openWork, type WorkSettings } from './work.ts';

/** Does jobs, several at once; results come back by job, whoever did it. */
export interface WorkerPool extends AsyncDisposable {
  /** Jobs that keep everyone busy. */
  readonly width: number;
  /** Whether jobs are done in threads of their own, to which memory can be handed. */
  readonly isApart: boolean;
  run(job: Job, memory?: readonly ArrayBuffer[]): Promise<JobResult>;
}

/** `workers` threads, begun when first needed; 0 does everything in this thread. */
export async function openWorkerPool(settings: WorkSettings, workers: number): Promise<WorkerPool> {
  if (workers === 0) {
    const work = await openWork(settings);
    return { width: 1, isApart: false, run: work, [Symbol.asyncDispose]: async () => undefined };
  }
  interface Waiting {
    readonly job: Job;
    readonly memory: readonly ArrayBuffer[];
    readonly resolve: (result: JobResult) => void;
    readonly reject: (error: unknown) => void;
  }
  const queue: Waiting[] = [];
  const idle: Worker[] = [];
  const all = new Set<Worker>();
  const busy = new Map<Worker, Waiting>();
  let closed = false;

  const begin = (): Worker => {
    // The worker stands beside this file, in the sources (.ts) as in the built package (.js).
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const worker = new Worker(new URL(`./worker.${extension}`, import.meta.url), {
      workerData: settings,
      ...threadOptions(),
    });
    all.add(worker);
    const settle = (tell: (waiting: Waiting) => void): void => {
      const waiting = busy.get(worker);
      busy.delete(worker);
      if (waiting) tell(waiting);
    };
    worker.on('message', (message: { result: JobResult } | { error: unknown }) => {
      settle(({ resolve, reject }) => ('result' in message ? resolve(message.result) : reject(message.error)));
      idle.push(worker);
      next();
    });
    const gone = (cause: unknown): void => {
      all.delete(worker);
      settle(({ reject }) =>
        reject(
          new MartletError('worker-gone', 'a thread that read rows has ended', {
            cause,
            hint: 'Look for too little memory; the same command goes on from what is done.',
          }),
        ),
      );
    };
    worker.on('error', gone);
    worker.on('exit', (code) => {
      if (!closed) gone(new Error(`exit code ${code}`));
    });
    return worker;
  };
  const next = (): void => {
    while (queue.length > 0) {
      const worker = idle.pop() ?? (all.size < workers ? begin() : undefined);
      if (!worker) return;
      const waiting = queue.shift();
      if (!waiting) return;
      busy.set(worker, waiting);
      worker.postMessage(waiting.job, [...waiting.memory]);
    }
  };
  return {
    width: workers,
    isApart: true,
    run: (job, memory = []) =>
      new Promise((resolve, reject) => {
        queue.push({ job, memory, resolve, reject });
        next();
      }),
    async [Symbol.asyncDispose]() {
      closed = true;
      await Promise.all([...all].map((worker) => worker.terminate()));
    },
  };
}
