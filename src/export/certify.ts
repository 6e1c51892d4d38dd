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

export interface Certified {
  readonly certificate: Certificate;
  /** The row with the largest difference of a logit; undefined when there are no rows. */
  readonly worstRow: string | undefined;
}

/** Compares what was trained with what was exported. It passes when no logit differs by more than the tolerance. */
export function certify(request: CertifyRequest): Certified {
  const { before, after, tolerance, rows } = request;
  let worst = 0;
  let worstRow = rows[0];
  let total = 0;
  let count = 0;
  before.logits.forEach((logits, row) => {
    const difference = differenceOf(logits, after.logits[row] ?? new Float32Array());
    if (difference.largest > worst) {
      worst = difference.largest;
      worstRow = rows[row];
    }
    total += difference.sum;
    count += logits.length;
  });
  const equal = before.answers.filter((answer, row) => answer.join() === after.answers[row]?.join()).length;
  const certificate: Certificate = {
    schema: 'certificate/1',
    format: request.format,
    rows: [...rows],
    maxLogitDifference: worst,
    meanLogitDifference: count > 0 ? total / count : 0,
    tolerance,
    greedyAnswersEqual: equal,
    reader: request.reader,
    passed: count > 0 && worst <= tolerance,
  };
  return { certificate, worstRow };
}

/** A missing, broken or additional number is the largest difference there is. The sum is over finite ones. */
function differenceOf(before: Float32Array, after: Float32Array): { readonly largest: number; readonly sum: number } {
  let largest = before.length === after.length ? 0 : Number.MAX_VALUE;
  let sum = 0;
  for (let i = 0; i < before.length; i++) {
    const difference = Math.abs((before[i] as number) - (after[i] ?? Number.NaN));
    if (Number.isFinite(difference)) sum += difference;
    largest = Number.isFinite(difference) ? Math.max(largest, difference) : Number.MAX_VALUE;
  }
  return { largest, sum };
}
