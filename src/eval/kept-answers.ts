import type { EvalSample } from '../schema/report.ts';
import { appendLineDurable, hasCode, readJsonLines } from '../store/files/files.ts';

/** Answers of an evaluation that was stopped on its way, batch by batch: equal work goes on behind them. */
export interface KeptAnswers {
  /** Those of a batch that were given before, and how long they took. */
  take(batch: string): KeptBatch | undefined;
  /** On the disk when it resolves. */
  add(batch: string, answers: KeptBatch): Promise<void>;
}

export interface KeptBatch {
  readonly answers: readonly EvalSample[];
  readonly seconds: number;
}

/** @param file may be missing; what wrote it is what reads it, since the work is named after the code too */
export async function keptAnswers(file: string): Promise<KeptAnswers> {
  const known = new Map<string, KeptBatch>();
  try {
    for await (const { value } of readJsonLines(file)) {
      const { batch, ...kept } = value as KeptBatch & { readonly batch: string };
      known.set(batch, kept);
    }
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  return {
    take: (batch) => known.get(batch),
    add: (batch, kept) => appendLineDurable(file, JSON.stringify({ batch, ...kept })),
  };
}
