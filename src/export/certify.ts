import type { Certificate } from '../schema/model.ts';

/** What a model says of some rows: logits of every position, and its greedy answers. */
export interface Behaviour {
  readonly logits: readonly Float32Array[];
  readonly answers: readonly (readonly number[])[];
}

export interface CertifyRequest {
  readonly format: Certificate['format'];
  readonly rows: readonly string[];
  readonly before: Behaviour;
  readonly after: Behaviour;
  readonly tolerance: number;
  /** What read the export back. */
  readonly reader: string;
}

/** Compares what was trained with what was exported. It passes when no logit differs by more than the tolerance. */
export function certify(request: CertifyRequest): Certificate {
  const { before, after, tolerance } = request;
  let worst = 0;
  let total = 0;
  let count = 0;
  before.logits.forEach((logits, row) => {
    const other = after.logits[row];
    for (let i = 0; i < logits.length; i++) {
      // A missing or broken number is the largest difference there is.
      const difference = Math.abs((logits[i] as number) - (other?.[i] ?? Number.NaN));
      worst = Number.isFinite(difference) ? Math.max(worst, difference) : Number.MAX_VALUE;
      total += Number.isFinite(difference) ? difference : 0;
      count++;
    }
  });
  const equal = before.answers.filter((answer, row) => answer.join() === after.answers[row]?.join()).length;
  return {
    schema: 'certificate/1',
    format: request.format,
    rows: [...request.rows],
    maxLogitDifference: worst,
    meanLogitDifference: count > 0 ? total / count : 0,
    tolerance,
    greedyAnswersEqual: equal,
    reader: request.reader,
    passed: count > 0 && worst <= tolerance,
  };
}
