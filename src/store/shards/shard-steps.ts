import type { ShardReader } from './shard-reader.ts';

/** Steps, counted from 1, in which training rows are computed, by their index in the shards. */
export function stepsOfRows(reader: ShardReader, rows: ReadonlySet<number>): ReadonlyMap<number, readonly number[]> {
  const found = new Map<number, number[]>(Array.from(rows, (row) => [row, []]));
  for (let step = 0; step < reader.stepCount('train'); step++)
    for (const index of reader.stepDocuments('train', step)) {
      const steps = found.get(reader.outline('train', index).row);
      if (steps && steps.at(-1) !== step + 1) steps.push(step + 1);
    }
  return found;
}

export interface RowOfStep {
  /** Of its first document. */
  readonly documentIndex: number;
  /** Counted from 1. */
  readonly pack: number;
  /** Tokens of each of its documents. */
  readonly documents: readonly number[];
}

/** The rows of a step, counted from 0, in the order they are computed. */
export function rowsOfStep(reader: ShardReader, step: number): readonly RowOfStep[] {
  return reader.stepPacks('train', step).flatMap((pack, packIndex) => {
    const rows = new Map<number, RowOfStep & { readonly documents: number[] }>();
    for (const documentIndex of pack) {
      const { row, tokens } = reader.outline('train', documentIndex);
      const known = rows.get(row);
      if (known) known.documents.push(tokens);
      else rows.set(row, { documentIndex, pack: packIndex + 1, documents: [tokens] });
    }
    return [...rows.values()];
  });
}
