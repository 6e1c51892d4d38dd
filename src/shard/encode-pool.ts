import { Worker } from 'node:worker_threads';
import { MartletError } from '../core/error.ts';
import type { OpenEncoderOptions } from '../models/encoder.ts';
import { openBridge, type TokenizerBridge } from '../models/tokenizer-bridge.ts';
import { threadOptions } from '../store/thread-options.ts';
import type { DocumentRules } from './documents.ts';
import type { EncodeBlock, EncodedBlock } from './encode-block.ts';

export interface EncodePoolOptions {
  readonly encoder: OpenEncoderOptions;
  readonly layout: DocumentRules['layout'];
  readonly render: DocumentRules['render'];
}

/** What a thread is told when it starts. */
export interface EncodeThreadData extends EncodePoolOptions {
  readonly bridge: TokenizerBridge;
}

export type EncodeThreadReply =
  | { readonly block: EncodedBlock }
  | { readonly error: { readonly code: string; readonly message: string; readonly hint?: string | undefined } };

export interface EncodePool extends AsyncDisposable {
  /** Each takes one block at a time. */
  readonly encoders: readonly EncodeBlock[];
}

/** Below this, starting a thread takes longer than encoding: about 30,000 tokens. */
export const smallestForThreads = 2 ** 19;

/** Threads that encode: each opens the model's tokenizer and template for itself; the crate is one for all. */
export function openEncodePool(data: EncodePoolOptions, threads: number): EncodePool {
  const workers = Array.from({ length: threads }, () => openThread(data));
  return {
    encoders: workers.map(({ encode }) => encode),
    async [Symbol.asyncDispose]() {
      await Promise.all(workers.map(({ close }) => close()));
    },
  };
}

function openThread(data: EncodePoolOptions): { encode: EncodeBlock; close: () => Promise<unknown> } {
  // The thread's module stands beside this file, in the sources (.ts) as in the built package (.js).
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const bridge = openBridge();
  const worker = new Worker(new URL(`./encode-thread.${extension}`, import.meta.url), {
    workerData: { ...data, bridge } satisfies EncodeThreadData,
    transferList: [bridge.port],
    ...threadOptions(),
    // What a block leaves behind is young and dies young; the rest is templates and words.
    resourceLimits: { maxYoungGenerationSizeMb: 32 },
  });
  let settle: { resolve: (block: EncodedBlock) => void; reject: (error: unknown) => void } | undefined;
  let failure: unknown;
  const fail = (error: unknown): void => {
    failure ??= error;
    settle?.reject(error);
  };
  worker.on('message', (reply: EncodeThreadReply) => {
    if ('block' in reply) settle?.resolve(reply.block);
    else settle?.reject(new MartletError(reply.error.code, reply.error.message, { hint: reply.error.hint }));
  });
  worker.on('error', fail);
  worker.on('exit', (code) =>
    fail(new MartletError('encode-failed', `a thread that encodes rows ended with ${code}`, { retryable: true })),
  );
  return {
    encode: (lines) =>
      new Promise((resolve, reject) => {
        if (failure !== undefined) return reject(failure);
        settle = { resolve, reject };
        worker.postMessage(lines, lines.buffer instanceof ArrayBuffer ? [lines.buffer] : []);
      }),
    close: () => worker.terminate(),
  };
}
