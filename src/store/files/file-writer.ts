import { open } from 'node:fs/promises';

/** A new file, written from front to back in large pieces. Nothing is certain to be there before `close`. */
export interface FileWriter extends AsyncDisposable {
  /** What is given is copied; the caller may use its array again. */
  write(data: string | Uint8Array): Promise<void>;
  /** One line of JSON. */
  writeJson(value: unknown): Promise<void>;
  /** Hands what was written so far to the system: it outlives this process from then on. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

const bufferBytes = 2 ** 18;
/** Most bytes of UTF-8 that one UTF-16 unit becomes. */
const bytesPerUnit = 3;

export interface FileWriterOptions {
  /** Goes on behind so many bytes of a file that is there; what follows them is cut off. */
  readonly keepBytes?: number | undefined;
}

/** @throws when the file exists, unless some of it is kept. */
export async function createFileWriter(file: string, { keepBytes }: FileWriterOptions = {}): Promise<FileWriter> {
  const handle = await open(file, keepBytes === undefined ? 'wx' : 'a');
  if (keepBytes !== undefined) await handle.truncate(keepBytes);
  const buffer = Buffer.allocUnsafeSlow(bufferBytes);
  let held = 0;
  let closed = false;

  const writeOut = async (bytes: Uint8Array): Promise<void> => {
    for (let rest = bytes; rest.length > 0; ) rest = rest.subarray((await handle.write(rest)).bytesWritten);
  };
  const flush = async (): Promise<void> => {
    const length = held;
    held = 0;
    await writeOut(buffer.subarray(0, length));
  };
  const write = async (data: string | Uint8Array): Promise<void> => {
    const most = typeof data === 'string' ? data.length * bytesPerUnit : data.length;
    if (held + most > bufferBytes) await flush();
    if (most > bufferBytes) await writeOut(typeof data === 'string' ? Buffer.from(data) : data);
    else if (typeof data === 'string') held += buffer.write(data, held);
    else {
      buffer.set(data, held);
      held += data.length;
    }
  };
  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    try {
      await flush();
    } finally {
      await handle.close();
    }
  };
  return {
    write,
    writeJson: (value) => write(`${JSON.stringify(value)}\n`),
    flush,
    close,
    [Symbol.asyncDispose]: close,
  };
}
