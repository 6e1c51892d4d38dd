import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { MartletError } from '../core/error.ts';
import { threadArguments } from '../store/thread-arguments.ts';
import type { TokenizerReply, TokenizerRequest } from './tokenizer-worker.ts';

/** A batch of the longest documents takes seconds; after this the worker is dead. */
const answerTimeoutMs = 120_000;

let bridge: { port: MessagePort; turn: Int32Array } | undefined;

/**
 * Asks the crate and waits. Its build for Node answers through promises only, and a tokenizer must be a plain function
 * (a renderer calls it in the middle of its work), so it lives in a worker and the caller sleeps until its answer is
 * there: about 20 µs more a call.
 * @throws MartletError `tokenizer-failed`
 */
export function askTokenizer(request: TokenizerRequest): Exclude<TokenizerReply, { error: string }> {
  bridge ??= start();
  const { port, turn } = bridge;
  const before = Atomics.load(turn, 0);
  port.postMessage(request);
  const woken = Atomics.wait(turn, 0, before, answerTimeoutMs);
  const reply = receiveMessageOnPort(port)?.message as TokenizerReply | undefined;
  if (woken === 'timed-out' || !reply) {
    bridge = undefined;
    throw new MartletError('tokenizer-failed', 'the tokenizer gave no answer', { retryable: true });
  }
  if ('error' in reply) throw new MartletError('tokenizer-failed', `the tokenizer refused: ${reply.error}`);
  return reply;
}

/** Starts the worker without waiting for it: it loads while its first definition is being read. */
export function wakeTokenizers(): void {
  bridge ??= start();
}

function start(): { port: MessagePort; turn: Int32Array } {
  const { port1: port, port2 } = new MessageChannel();
  const turn = new Int32Array(new SharedArrayBuffer(4));
  // The worker stands beside this file, in the sources (.ts) as in the built package (.js).
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const worker = new Worker(new URL(`./tokenizer-worker.${extension}`, import.meta.url), {
    workerData: { port: port2, turn },
    execArgv: threadArguments(),
    transferList: [port2],
  });
  worker.unref();
  return { port, turn };
}
