import { hash } from 'node:crypto';
import { TemplateError } from '../../render/jinja/error.ts';
import type { Sample } from '../../schema/sample.ts';
import { optionsOf } from '../../schema/steps.ts';
import { contentId } from '../content-id.ts';
import { firstSeen } from '../first-seen.ts';
import { firstPlaces } from '../row-accounts.ts';
import { columnsOf, compileRowExpression } from './expression.ts';
import { lackingOf, ownNames } from './map.ts';
import { type Drop, defineStep, type WholeRows } from './step.ts';

const keyBytes = 16;

/** Drops rows that say the same as an earlier one, or for which an expression has the same value. */
export const duplicates = defineStep({
  name: 'duplicates',
  version: 1,
  options: optionsOf('duplicates'),
  open({ by }) {
    const expression = by === undefined ? null : compileRowExpression(by);
    const names = expression ? ownNames(expression) : [];
    const keyOf = (sample: Sample): Uint8Array => {
      const text = expression ? valueText(() => expression.value(columnsOf(sample)), sample.id) : contentId(sample);
      return hash('sha256', text, 'buffer').subarray(0, keyBytes);
    };
    const dropFor = (first: string): Drop => ({
      fate: 'duplicate',
      code: 'duplicate',
      reason: `${by === undefined ? 'the same content' : `the same ${by}`} as ${first}`,
    });
    return {
      kind: 'whole',
      featureBytes: keyBytes,
      feature: (sample, into) => into.set(keyOf(sample)),
      decide: (rows) => ({ drops: laterOnes(rows, dropFor) }),
      asTheyCome() {
        const firstOf = firstPlaces();
        return (sample) => {
          const told = names.length > 0 ? lackingOf(columnsOf(sample), names) : undefined;
          const first = firstOf(keyOf(sample), sample.provenance);
          return first === null ? (told ?? null) : { ...told, drop: dropFor(first) };
        };
      },
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

function* laterOnes(rows: WholeRows, dropFor: (first: string) => Drop): Generator<readonly [number, Drop]> {
  const firsts = firstSeen();
  for (let row = 0; row < rows.count; row++) {
    const first = firsts.seen(rows.feature(row), row);
    if (first !== undefined) yield [row, dropFor(rows.place(first))];
  }
}
