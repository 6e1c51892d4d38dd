import type { EncodeBlock, EncodedBlock } from './encode-block.ts';

interface InOrderRequest {
  /** `skip`: so many of the first are left out. */
  readonly blocks: (skip: number) => AsyncIterable<Uint8Array>;
  readonly encoders: readonly EncodeBlock[];
  readonly signal?: AbortSignal;
}

/**
 * Encodes blocks at once and gives them in their order. Beside those being encoded at most one finished block an encoder
 * waits, so that memory stays bounded when one takes long.
 * @param skip blocks that are encoded already
 */
export async function* encodeInOrder(
  { blocks, encoders, signal }: InOrderRequest,
  skip: number,
): AsyncGenerator<{ readonly index: number; readonly block: EncodedBlock }> {
  const idle = [...encoders];
  const waiting: ((encoder: EncodeBlock) => void)[] = [];
  const release = (encoder: EncodeBlock): void => {
    const next = waiting.shift();
    if (next) next(encoder);
    else idle.push(encoder);
  };
  const acquire = async (): Promise<EncodeBlock> =>
    idle.pop() ?? (await new Promise<EncodeBlock>((resolve) => waiting.push(resolve)));
  const encode = async (lines: Uint8Array): Promise<EncodedBlock> => {
    const encoder = await acquire();
    try {
      return await encoder(lines);
    } finally {
      release(encoder);
    }
  };
  const pending: Promise<EncodedBlock>[] = [];
  let given = skip;
  const take = async (): Promise<{ readonly index: number; readonly block: EncodedBlock }> => {
    const block = await (pending.shift() as Promise<EncodedBlock>);
    signal?.throwIfAborted();
    return { index: given++, block };
  };
  for await (const lines of blocks(skip)) {
    signal?.throwIfAborted();
    const started = encode(lines);
    // Whoever waits for it is told; until then it is no unhandled failure.
    started.catch(() => undefined);
    pending.push(started);
    if (pending.length > encoders.length * 2) yield await take();
  }
  while (pending.length > 0) yield await take();
}
