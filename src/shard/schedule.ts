import { randomStream, shuffled, streamKey } from '../core/random.ts';
import type { PlanValues } from '../schema/plan.ts';

export type ScheduleValues = Pick<
  PlanValues['train'],
  'epochs' | 'maxSteps' | 'rowsPerStep' | 'seed' | 'groupByLength'
>;

/** Tells this use of the seed from all others. */
const orderStream = 0x0f0d;
const groupStream = 0x0f0e;

/** Steps whose rows are sorted together: lengths come close, and the order stays random beyond them. */
const groupedSteps = 64;

export interface ScheduledRows {
  /** Rows in an order that does not hang on the files they came from. */
  readonly order: ArrayLike<number>;
  /** Tokens of each row, read when rows are grouped by length. */
  readonly tokens: ArrayLike<number>;
}

/**
 * The rows of each step, in order. Each pass is shuffled anew, by (seed, pass) alone, and cut into steps of `rowsPerStep`;
 * the last step of a pass is as small as it comes, so that every row is trained exactly once a pass. `groupByLength` brings
 * rows of like length into one step.
 */
export function* scheduleSteps(rows: ScheduledRows, values: ScheduleValues): Generator<readonly number[]> {
  const { epochs, maxSteps, rowsPerStep, seed, groupByLength } = values;
  const all = Array.from(rows.order);
  let steps = 0;
  for (let pass = 0; pass < epochs; pass++) {
    // Rounded first: 0.1 of 30 rows is 3, not the 3.0000000000000004 that would make it 4.
    const taken = Math.min(all.length, Math.ceil(Math.round(all.length * (epochs - pass) * 1e6) / 1e6));
    const order = shuffled(all, streamKey(seed, orderStream, pass)).slice(0, taken);
    if (groupByLength) groupLengths(order, { rows, rowsPerStep, key: streamKey(seed, groupStream, pass) });
    for (let at = 0; at < order.length; at += rowsPerStep) {
      if (maxSteps !== null && steps === maxSteps) return;
      steps++;
      yield order.slice(at, at + rowsPerStep);
    }
  }
}

interface GroupRequest {
  readonly rows: ScheduledRows;
  readonly rowsPerStep: number;
  readonly key: number;
}

/**
 * Sorts by length within stretches of many steps, then shuffles the whole steps of a stretch, so that training does not go
 * from long rows to short ones over and over.
 */
function groupLengths(order: number[], { rows, rowsPerStep, key }: GroupRequest): void {
  const random = randomStream(key);
  const stretch = rowsPerStep * groupedSteps;
  for (let from = 0; from < order.length; from += stretch) {
    const sorted = order.slice(from, from + stretch).sort((a, b) => (rows.tokens[b] ?? 0) - (rows.tokens[a] ?? 0));
    const whole = Math.floor(sorted.length / rowsPerStep);
    const steps = Array.from({ length: whole }, (_, step) =>
      sorted.slice(step * rowsPerStep, (step + 1) * rowsPerStep),
    );
    for (let i = steps.length - 1; i > 0; i--) {
      const j = random.below(i + 1);
      [steps[i], steps[j]] = [steps[j] ?? [], steps[i] ?? []];
    }
    const grouped = [...steps.flat(), ...sorted.slice(whole * rowsPerStep)];
    for (const [index, row] of grouped.entries()) order[from + index] = row;
  }
}
