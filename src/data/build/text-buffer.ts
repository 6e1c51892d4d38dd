/** UTF-8 that grows at its end. */
export interface TextBuffer {
  readonly length: number;
  add(text: string): void;
  bytes(): Buffer;
}

export function textBuffer(): TextBuffer {
  let buffer = Buffer.allocUnsafeSlow(2 ** 16);
  let length = 0;
  return {
    get length(): number {
      return length;
    },
    add(text) {
      // Three bytes are the most that one UTF-16 unit becomes.
      const needed = length + text.length * 3;
      if (needed > buffer.length) {
        const larger = Buffer.allocUnsafeSlow(Math.max(needed, buffer.length * 2));
        buffer.copy(larger, 0, 0, length);
        buffer = larger;
      }
      length += buffer.write(text, length);
    },
    bytes: () => buffer.subarray(0, length),
  };
}
