import { hash } from 'node:crypto';
import { TemplateError } from '../../render/jinja/error.ts';
import { optionsOf } from '../../schema/steps.ts';
import { contentId } from '../content-id.ts';
import { firstSeen } from '../first-seen.ts';
import { columnsOf, compileRowExpression } from './expression.ts';
import { type Drop, defineStep, type WholeRows } from './step.ts';

/** Drops rows that say the same as an earlier one, or for which an expression has the same value. */
export const duplicates = defineStep({
  name: 'duplicates',
  version: 1,
  options: optionsOf('duplicates'),
  open({ by }) {
    const expression = by === undefined ? null : compileRowExpression(by);
    return {
      kind: 'whole',
      featureBytes: 16,
      feature(sample, into) {
        const text = expression ? valueText(() => expression.value(columnsOf(sample)), sample.id) : contentId(sample);
        into.set(hash('sha256', text, 'buffer').subarray(0, 16));
      },
      decide: (rows) => ({ drops: laterOnes(rows, by) }),
    };
  },
});

/** A row for which the expression fails has no equal. */
function valueText(value: () => unknown, id: string): string {
  try {
    return `value ${JSON.stringify(value())}`;
  } catch (error) {
    if (error instanceof TemplateError) return `row ${id}`;
    throw error;
  }
}

function* laterOnes(rows: WholeRows, by: string | undefined): Generator<readonly [number, Drop]> {
  const firsts = firstSeen();
  for (let row = 0; row < rows.count; row++) {
    const first = firsts.seen(rows.feature(row), row);
    if (first === undefined) continue;
    const what = by === undefined ? 'the same content' : `the same ${by}`;
    yield [row, { fate: 'duplicate', code: 'duplicate', reason: `${what} as ${rows.place(first)}` }];
  }
}
