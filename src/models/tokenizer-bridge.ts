import { join } from 'node:path';
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { MartletError } from '../core/error.ts';
import { threadOptions } from '../store/thread-options.ts';
import type { TokenizerReply, TokenizerRequest } from './tokenizer-request.ts';

/** A batch of the longest documents takes seconds; after this the worker is dead. */
const answerTimeoutMs = 120_000;

/** A way to the crate. It belongs to one thread, and can be handed over to another with its port. */
export interface TokenizerBridge {
  readonly port: MessagePort;
  readonly turn: Int32Array;
}

let bridge: TokenizerBridge | undefined;
let worker: Worker | undefined;

/**
 * Asks the crate and waits. Its build for Node answers through promises only, and a tokenizer must be a plain function
 * (a renderer calls it in the middle of its work), so it lives in a worker and the caller sleeps until its answer is
 * there: about 20 µs more a call.
 * @throws MartletError `tokenizer-failed`
 */
export function askTokenizer(request: TokenizerRequest): Exclude<TokenizerReply, { error: string }> {
  bridge ??= openBridge();
  const { port, turn } = bridge;
  const before = Atomics.load(turn, 0);
  port.postMessage(request);
  const woken = Atomics.wait(turn, 0, before, answerTimeoutMs);
  const reply = receiveMessageOnPort(port)?.message as TokenizerReply | undefined;
  if (woken === 'timed-out' || !reply) {
    bridge = undefined;
    worker = undefined;
    throw new MartletError('tokenizer-failed', 'the tokenizer gave no answer', { retryable: true });
  }
  if ('error' in reply) throw new MartletError('tokenizer-failed', `the tokenizer refused: ${reply.error}`);
  return reply;
}

/** Has the crate read a definition ahead. Whoever asks it first is told what is wrong with it. */
export function prepareTokenizer(request: { readonly key: string; readonly text: string }): void {
  wakeTokenizers();
  bridge?.port.postMessage({ kind: 'prepare', ...request } satisfies TokenizerRequest);
}

/** The same of a model folder's own definition, by whose hash it is asked for then. */
export function readTokenizerAhead(folder: string): void {
  wakeTokenizers();
  bridge?.port.postMessage({ kind: 'read', file: join(folder, 'tokenizer.json') } satisfies TokenizerRequest);
}

/** Starts the worker without waiting for it: it loads while its first definition is being read. */
export function wakeTokenizers(): void {
  bridge ??= openBridge();
}

/** A further way to the crate of this thread: several threads then hold its vocabularies once. */
export function openBridge(): TokenizerBridge {
  worker ??= start();
  const { port1: port, port2 } = new MessageChannel();
  const turn = new Int32Array(new SharedArrayBuffer(4));
  worker.postMessage({ port: port2, turn } satisfies TokenizerBridge, [port2]);
  return { port, turn };
}

/** From now on this thread asks through a way that another one opened. */
export function useBridge(opened: TokenizerBridge): void {
  bridge = opened;
}

function start(): Worker {
  // The worker stands beside this file, in the sources (.ts) as in the built package (.js).
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const started = new Worker(new URL(`./tokenizer-worker.${extension}`, import.meta.url), {
    ...threadOptions(),
  });
  started.unref();
  return started;
}
