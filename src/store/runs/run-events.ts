import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { MartletError } from '../../core/error.ts';
import { type RunEvent, runEvent } from '../../schema/event.ts';

/** All whole events of a run; empty when it has none yet. */
export async function readEvents(file: string): Promise<readonly RunEvent[]> {
  return existsSync(file) ? parseEvents(await readFile(file)).events : [];
}

/**
 * The events of a log, one JSON object a line. `wholeBytes`: where its last whole line ends; a killed process may have
 * left a torn one behind it.
 * @throws MartletError `events-unreadable` for a whole line that is no event.
 */
export function parseEvents(bytes: Buffer): { readonly events: readonly RunEvent[]; readonly wholeBytes: number } {
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

/** Tokens learned up to a step. */
export function learnedUntil(events: readonly RunEvent[], step: number): number {
  const learned = new Map<number, number>();
  for (const event of events)
    if (event.type === 'step-end' && event.step <= step) learned.set(event.step, event.learnedTokens);
  return learned.values().reduce((sum, tokens) => sum + tokens, 0);
}
