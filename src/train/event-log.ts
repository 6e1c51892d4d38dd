import { existsSync } from 'node:fs';
import { open, readFile, truncate } from 'node:fs/promises';
import { MartletError } from '../core/error.ts';
import { type RunEvent, runEvent } from '../schema/event.ts';

type Body = RunEvent extends infer Each ? (Each extends RunEvent ? Omit<Each, 'sequence' | 'at'> : never) : never;

/** The record of a run: one JSON object a line, each on disk before the next thing happens. */
export interface EventLog extends AsyncDisposable {
  append(event: Body): Promise<RunEvent>;
}

/** Opens a log for more; a last line that a killed process left torn is cut off. */
export async function openEventLog(file: string, clock: () => Date): Promise<EventLog> {
  let sequence = 0;
  if (existsSync(file)) {
    const { events, wholeBytes } = parse(await readFile(file));
    await truncate(file, wholeBytes);
    sequence = (events.at(-1)?.sequence ?? -1) + 1;
  }
  const handle = await open(file, 'a');
  return {
    async append(body) {
      const event = runEvent.parse({ ...body, sequence, at: clock().toISOString() });
      await handle.appendFile(`${JSON.stringify(event)}\n`);
      await handle.datasync();
      sequence++;
      return event;
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

/** All whole events of a run; empty when it has none yet. */
export async function readEvents(file: string): Promise<readonly RunEvent[]> {
  return existsSync(file) ? parse(await readFile(file)).events : [];
}

function parse(bytes: Buffer): { readonly events: readonly RunEvent[]; readonly wholeBytes: number } {
  const wholeBytes = bytes.lastIndexOf(10) + 1;
  const lines = bytes.subarray(0, wholeBytes).toString('utf8').split('\n').slice(0, -1);
  const events = lines.map((line, index) => {
    const parsed = runEvent.safeParse(parseJson(line));
    if (!parsed.success)
      throw new MartletError('events-unreadable', `line ${index + 1} of the event log is no event`, {
        hint: 'The file was altered; start the run anew.',
      });
    return parsed.data;
  });
  return { events, wholeBytes };
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** The course of a run: of steps that were repeated after a kill, the last time counts. */
export function lossCurve(events: readonly RunEvent[]): [number, number][] {
  const losses = new Map<number, number>();
  for (const event of events) if (event.type === 'step-end') losses.set(event.step, event.loss);
  return [...losses].sort(([a], [b]) => a - b);
}
