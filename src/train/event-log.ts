import { existsSync } from 'node:fs';
import { type FileHandle, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type RunEvent, runEvent } from '../schema/event.ts';
import { parseEvents } from '../store/runs/run-events.ts';

export type EventBody = RunEvent extends infer Each
  ? Each extends RunEvent
    ? Omit<Each, 'sequence' | 'at'>
    : never
  : never;

/** The record of a run: one JSON object a line, each on disk before the next thing happens. */
export interface EventLog extends AsyncDisposable {
  /** What stood in it when it was opened. */
  readonly earlier: readonly RunEvent[];
  /** Writes the whole line, or throws what the disk said and leaves the log as it was. */
  append(event: EventBody): Promise<RunEvent>;
  /** The same for the last words of a run: it first gives back the space that was kept for them. */
  appendLast(event: EventBody): Promise<RunEvent>;
}

export interface EventLogOptions {
  readonly file: string;
  readonly clock: () => Date;
  readonly openFile?: (file: string) => Promise<Pick<FileHandle, 'appendFile' | 'datasync' | 'truncate' | 'close'>>;
}

/** Kept beside the log while it is open, so that a full disk still has room for the reason. */
const reserveFile = '.events.reserve';
const reserveBytes = 1 << 14;

/** Opens a log for more; a last line that a killed process left torn is cut off. */
export async function openEventLog(options: EventLogOptions): Promise<EventLog> {
  const { file, clock, openFile = (path) => open(path, 'a') } = options;
  const reserve = join(dirname(file), reserveFile);
  let earlier: readonly RunEvent[] = [];
  let sequence = 0;
  let size = 0;
  if (existsSync(file)) {
    const { events, wholeBytes } = parseEvents(await readFile(file));
    await truncate(file, wholeBytes);
    earlier = events;
    sequence = (events.at(-1)?.sequence ?? -1) + 1;
    size = wholeBytes;
  }
  // A disk that is full already will say so at the first event, where it becomes the reason of the failure.
  await writeFile(reserve, Buffer.alloc(reserveBytes, 1), { flush: true }).catch(() => {});
  const handle = await openFile(file);
  const append: EventLog['append'] = async (body) => {
    const event = runEvent.parse({ ...body, sequence, at: clock().toISOString() });
    const line = Buffer.from(`${JSON.stringify(event)}\n`);
    try {
      await handle.appendFile(line);
      await handle.datasync();
    } catch (error) {
      // Part of the line may be there; whatever is written next must not be glued to it.
      await handle.truncate(size);
      throw error;
    }
    size += line.length;
    sequence++;
    return event;
  };
  return {
    earlier,
    append,
    async appendLast(event) {
      await rm(reserve, { force: true });
      return append(event);
    },
    async [Symbol.asyncDispose]() {
      await handle.close();
      await rm(reserve, { force: true });
    },
  };
}
