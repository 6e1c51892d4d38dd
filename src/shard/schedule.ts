import { shuffled, streamKey } from '../core/random.ts';
import type { PlanValues } from '../schema/plan.ts';

export type ScheduleValues = Pick<PlanValues['train'], 'epochs' | 'maxSteps' | 'rowsPerStep' | 'seed'>;

/** Tells this use of the seed from all others. */
const orderStream = 0x0f0d;

/**
 * The rows of each step, in order. Each pass is shuffled anew, by (seed, pass) alone, and cut into steps of `rowsPerStep`;
 * the last step of a pass is as small as it comes, so that every row is trained exactly once a pass.
 */
export function* scheduleSteps(rows: number, values: ScheduleValues): Generator<readonly number[]> {
  const { epochs, maxSteps, rowsPerStep, seed } = values;
  const all = Array.from({ length: rows }, (_, row) => row);
  let steps = 0;
  for (let pass = 0; pass < epochs; pass++) {
    // Rounded first: 0.1 of 30 rows is 3, not the 3.0000000000000004 that would make it 4.
    const taken = Math.min(rows, Math.ceil(Math.round(rows * (epochs - pass) * 1e6) / 1e6));
    const order = shuffled(all, streamKey(seed, orderStream, pass)).slice(0, taken);
    for (let at = 0; at < order.length; at += rowsPerStep) {
      if (maxSteps !== null && steps === maxSteps) return;
      steps++;
      yield order.slice(at, at + rowsPerStep);
    }
  }
}
