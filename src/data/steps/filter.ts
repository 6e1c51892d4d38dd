import { TemplateError } from '../../render/jinja/error.ts';
import { optionsOf } from '../../schema/steps.ts';
import { columnsOf, compileRowExpression } from './expression.ts';
import { failed, lackingOf, ownNames } from './map.ts';
import { defineStep, type RowVerdict } from './step.ts';

/** Keeps the rows for which an expression holds. */
export const filter = defineStep({
  name: 'filter',
  version: 2,
  options: optionsOf('filter'),
  open({ keep }) {
    const expression = compileRowExpression(keep);
    const drop: RowVerdict = {
      drop: { fate: 'filtered', code: 'filtered', reason: `does not hold: ${keep}` },
    };
    const names = ownNames(expression);
    return {
      kind: 'rows',
      apply(sample) {
        const columns = columnsOf(sample);
        const told = lackingOf(columns, names);
        try {
          return expression.holds(columns) ? (told ?? null) : { ...told, ...drop };
        } catch (error) {
          if (error instanceof TemplateError) return { ...told, drop: failed(error, keep) };
          throw error;
        }
      },
    };
  },
});
