import { formatBytes, gibAbove } from '../../core/units.ts';
import { trainedRows } from '../predict.ts';
import { type Check, error } from './check.ts';

/** Steps that have to hold or reorder all rows, and what they do. The data stage refuses modules of one's own that do. */
const unbounded: Readonly<Record<string, string>> = {
  shuffle: 'puts all rows into another order',
  'near-duplicates': 'holds a signature of every row',
};

export const stepsStream: Check = ({ values: { data }, execution }) =>
  execution.diskGiB === null
    ? []
    : data.steps.flatMap(({ step, module }, index) => {
        const what = module === null ? unbounded[step] : undefined;
        if (what === undefined) return [];
        return error({
          code: 'step-unbounded',
          path: ['data', 'steps', index],
          message: `The step ${step} ${what}, which rows that are streamed do not allow.`,
          fix:
            step === 'shuffle'
              ? 'Take it out: training shuffles rows by train.seed anyway.'
              : 'Take it out, or leave out execution.diskGiB.',
        });
      });

/** Ids and weights of a token; see `shards.json`. */
const tokenBytes = 8;

/** At least: two windows of a step each. What indexes take is known when shards are made, and is told then. */
export const diskHoldsSteps: Check = ({ values: { train }, execution: { diskGiB }, facts }) => {
  const { rows, tokens } = facts;
  if (diskGiB === null || !rows || rows.exact === false || !tokens || tokens.sampledRows !== undefined) return [];
  const step =
    (Math.min(train.rowsPerStep, trainedRows(facts)) * tokens.train * tokenBytes) / Math.max(1, trainedRows(facts));
  const least = 2 * step;
  if (diskGiB * 2 ** 30 >= least) return [];
  return [
    error({
      code: 'disk-budget',
      path: ['execution', 'diskGiB'],
      message: `Two steps of usual rows take ${formatBytes(least)} by their tokens alone.`,
      expected: `at least ${gibAbove(least)}`,
      fix: 'Raise it, or lower train.rowsPerStep.',
    }),
  ];
};
