import { parentPort, workerData } from 'node:worker_threads';
import { MartletError } from '../core/error.ts';
import { encodeDocuments, openEncoder } from '../models/encoder.ts';
import { useBridge } from '../models/tokenizer-bridge.ts';
import { shardSplits } from '../schema/shards.ts';
import { encodeBlock } from './encode-block.ts';
import type { EncodeThreadData, EncodeThreadReply } from './encode-pool.ts';

// Runs as a worker thread of encode-pool.ts.
const { encoder: options, layout, render, bridge } = workerData as EncodeThreadData;
useBridge(bridge);
const opening = openEncoder(options);
// A failure is told with the first block.
opening.catch(() => undefined);

parentPort?.on('message', async (lines: Uint8Array) => {
  let reply: EncodeThreadReply;
  const transfer: ArrayBuffer[] = [];
  try {
    const encoder = await opening;
    const block = await encodeBlock(lines, { layout, render, encode: encodeDocuments(encoder) });
    for (const split of shardSplits)
      for (const part of Object.values(block.splits[split]))
        if (ArrayBuffer.isView(part) && part.buffer instanceof ArrayBuffer) transfer.push(part.buffer);
    reply = { block };
  } catch (error) {
    reply = { error: toldError(error) };
  }
  parentPort?.postMessage(reply, transfer);
});

function toldError(error: unknown): Extract<EncodeThreadReply, { error: unknown }>['error'] {
  if (MartletError.is(error)) return { code: error.code, message: error.message, hint: error.hint };
  if (error instanceof SyntaxError)
    return {
      code: 'dataset-unreadable',
      message: `a line of the dataset is not a row: ${error.message}`,
      hint: 'The file was changed or cut; build the dataset again.',
    };
  return { code: 'encode-failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
