import type { DataValues } from '../opened-source.ts';

/** Steps that may make rows equal that were not. */
const changing = new Set(['map', 'clean', 'length', 'personal', 'self-cognition']);

/** Rows that steps have made equal count once, as rows that were equal from the start do. */
export function closedSteps(steps: DataValues['steps']): DataValues['steps'] {
  const last = steps.findLastIndex(({ step, module }) => module !== null || changing.has(step));
  const isClosed = steps.slice(last + 1).some(({ step, options }) => step === 'duplicates' && !comparesBy({ options }));
  if (last === -1 || isClosed) return steps;
  return [...steps, { step: 'duplicates', module: null, options: { step: 'duplicates' } }];
}

/** Whether a step is told what to compare rows by. */
export const comparesBy = ({ options }: Pick<DataValues['steps'][number], 'options'>): boolean =>
  typeof options === 'object' && options !== null && 'by' in options;
