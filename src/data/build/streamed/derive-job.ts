import type { SourceRow } from '../../read-sources.ts';
import { type Delta, encodeDelta, unpackDelta } from '../delta-file.ts';
import type { JobResult, WorkContext } from '../job.ts';
import { deltaOf, featuresOf, liveRows } from '../live-rows.ts';
import { encodePart } from '../part-file.ts';
import { readPart, readResult } from '../read-part.ts';

/** Reads rows and takes them through the steps without the cache: what it makes comes back with the result. */
export interface DeriveJob {
  readonly kind: 'derive';
  readonly rows: readonly SourceRow[];
  /** Packed deltas of what was decided with a look at all rows: first of reading, then of each step; null where nothing is yet. */
  readonly decided: readonly (Uint8Array | null)[];
}

export function derive(
  { rows, decided: [accounts, ...decided] }: DeriveJob,
  { sources, steps, read, today }: WorkContext,
): JobResult {
  const part = readPart(rows, sources, read, today);
  const live = liveRows(part);
  if (accounts) live.apply(unpackDelta(accounts));
  const deltas: Delta[] = [];
  let feature: Uint8Array | null = null;
  for (const [index, { name, step }] of steps.entries()) {
    const known = decided[index];
    if (step.kind === 'whole' && !known) {
      feature = featuresOf(live, part.head.rows, step);
      break;
    }
    const delta = known ? unpackDelta(known) : deltaOf(live.samples(), { name, step });
    live.apply(delta);
    deltas.push(delta);
  }
  const dropped = deltas.flatMap((delta) => delta.rows.flatMap(({ row, drop }) => (drop ? [row] : [])));
  return {
    rows: part.head.rows,
    dropped: Uint32Array.from(dropped),
    done: [],
    read: readResult(part, rows),
    made: { part: encodePart(part), deltas: deltas.map(encodeDelta), feature },
  };
}
