/**
 * The frames of a Zstandard file (RFC 8878), each as the pieces it is made of. A file may hold several, end to end, which
 * Node's own stream passes over in silence after the first. Frames that hold no data are left out.
 */
export async function* zstdFrames(read: () => Promise<Buffer | null>): AsyncGenerator<AsyncGenerator<Buffer>> {
  let held: Buffer = Buffer.alloc(0);
  /** Whether so many bytes are held, after reading what that takes. */
  const holds = async (count: number): Promise<boolean> => {
    while (held.length < count) {
      const more = await read();
      if (more === null) return false;
      held = held.length === 0 ? more : Buffer.concat([held, more]);
    }
    return true;
  };
  async function* take(count: number): AsyncGenerator<Buffer> {
    for (let left = count; left > 0 && (held.length > 0 || (await holds(1))); ) {
      const piece = held.subarray(0, left);
      held = held.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }
  async function* frame(): AsyncGenerator<Buffer> {
    // What is cut off is handed over as it is: the decompressor says so.
    if (!(await holds(6))) return yield* take(held.length);
    const descriptor = held[4] ?? 0;
    const isSingle = (descriptor >> 5) & 1;
    const contentSize = [isSingle, 2, 4, 8][descriptor >> 6] ?? 0;
    yield* take(5 + 1 - isSingle + ([0, 1, 2, 4][descriptor & 3] ?? 0) + contentSize);
    for (let isLast = false; !isLast; ) {
      if (!(await holds(3))) return yield* take(held.length);
      const block = held.readUIntLE(0, 3);
      isLast = (block & 1) === 1;
      yield* take(3 + (((block >> 1) & 3) === 1 ? 1 : block >> 3));
    }
    if ((descriptor >> 2) & 1) yield* take(4);
  }
  while (await holds(1)) {
    const isSkipped = (await holds(8)) && held.readUInt32LE(0) >>> 4 === 0x184d2a5;
    if (!isSkipped) yield frame();
    else for await (const _ of take(8 + held.readUInt32LE(4)));
  }
}
