import type { Sample } from '../../schema/sample.ts';
import { contentId } from '../content-id.ts';
import type { OpenedStep } from '../steps/open-steps.ts';
import type { RowVerdict, WholeStep } from '../steps/step.ts';
import { changedLines, type Delta, type DeltaRow } from './delta-file.ts';
import { lineOf, type Part, parseLine } from './part-file.ts';
import { textBuffer } from './text-buffer.ts';

/** The rows of a batch that are still there, as they are now. */
export function liveRows(part: Part) {
  /** Lines of changed rows, null for those that ended. */
  const now = new Map<number, Buffer | null>();
  return {
    apply(delta: Delta): void {
      for (const [{ row }, line] of changedLines(delta)) now.set(row, line);
      for (const { row, drop } of delta.rows) if (drop) now.set(row, null);
    },
    *samples(): Generator<readonly [row: number, sample: Sample]> {
      for (let row = 0; row < part.head.rows; row++) {
        const changed = now.get(row);
        const line = changed === undefined ? lineOf(part.rows, part.rowEnds, row) : changed;
        if (line !== null && line.length > 0) yield [row, parseLine<Sample>(line)];
      }
    },
  };
}

/** What a step does to rows. */
export function deltaOf(samples: Iterable<readonly [number, Sample]>, { name, step }: OpenedStep): Delta {
  if (step.kind !== 'rows') throw new Error(`${name} looks at all rows together`);
  const rows: DeltaRow[] = [];
  const lines = textBuffer();
  for (const [row, sample] of samples) {
    const verdict = step.apply(sample);
    if (verdict === null) continue;
    rows.push({ row, ...entryOf(verdict, lines) });
  }
  return { rows, samples: lines.bytes() };
}

function entryOf({ drop, changes, truncated, lacks, sample }: RowVerdict, lines: ReturnType<typeof textBuffer>) {
  const told = {
    ...(drop && { drop }),
    ...(changes && { changes }),
    ...(truncated && { truncated }),
    ...(lacks && { lacks }),
  };
  if (!sample || drop) return told;
  const id = contentId(sample);
  lines.add(`${JSON.stringify({ ...sample, id })}\n`);
  return { ...told, id, end: lines.length };
}

/** What a step over all rows wants of each row of a batch, end to end; zeros for a row that is not there any more. */
export function featuresOf(live: ReturnType<typeof liveRows>, ...[rows, step]: [number, WholeStep]): Uint8Array {
  const width = step.featureBytes;
  const bytes = new Uint8Array(rows * width);
  for (const [row, sample] of live.samples()) step.feature?.(sample, bytes.subarray(row * width, (row + 1) * width));
  return bytes;
}
