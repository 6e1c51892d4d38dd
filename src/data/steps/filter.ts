import { TemplateError } from '../../render/jinja/error.ts';
import { optionsOf } from '../../schema/steps.ts';
import { columnsOf, compileRowExpression } from './expression.ts';
import { failed } from './map.ts';
import { defineStep, type RowVerdict } from './step.ts';

/** Keeps the rows for which an expression holds. */
export const filter = defineStep({
  name: 'filter',
  version: 1,
  options: optionsOf('filter'),
  open({ keep }) {
    const expression = compileRowExpression(keep);
    const drop: RowVerdict = {
      drop: { fate: 'filtered', code: 'filtered', reason: `does not hold: ${keep}` },
    };
    return {
      kind: 'rows',
      apply(sample) {
        try {
          return expression.holds(columnsOf(sample)) ? null : drop;
        } catch (error) {
          if (error instanceof TemplateError) return { drop: failed(error) };
          throw error;
        }
      },
    };
  },
});
