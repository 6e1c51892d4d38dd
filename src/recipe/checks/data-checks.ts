import type { Issue } from '../../core/issue.ts';
import { isWithinBudget, leftOut, takenRows, tellLost } from '../../core/lost-rows.ts';
import { formatPercent, shareAbove } from '../../core/units.ts';
import { trainedRows } from '../predict.ts';
import { type Check, error, warning } from './check.ts';

export const heldOutNeedsColumn: Check = ({ values: { data } }) =>
  data.split.heldOut !== null && data.split.by === null
    ? [
        error({
          code: 'held-out-without-column',
          path: ['data', 'split', 'heldOut'],
          message: 'Values are held out, but of no column.',
          fix: 'Name the column in data.split.by.',
        }),
      ]
    : [];

export const heldOutOrShare: Check = ({ values: { data }, given }) =>
  data.split.heldOut !== null && given.has('data.split.share')
    ? [
        error({
          code: 'held-out-twice',
          path: ['data', 'split', 'share'],
          message: 'Both values and a share are held out.',
          expected: 'heldOut or share',
          fix: 'Remove one of them.',
        }),
      ]
    : [];

/** Keys that only interleaving looks at. */
export const mixKeysMix: Check = ({ values: { data }, given }) => {
  if (data.mix === 'interleave') return [];
  const unused = [
    ...data.sources.flatMap(({ weight }, index) => (weight === null ? [] : [['data', 'sources', index, 'weight']])),
    ...(given.has('data.mixStop') ? [['data', 'mixStop']] : []),
  ];
  return unused.map((path) =>
    warning({
      code: 'no-effect',
      path,
      message: 'Sources are read one after the other, so that this decides nothing.',
      fix: 'Set data.mix: interleave, or remove it.',
    }),
  );
};

export const somethingToTrain: Check = ({ values: { data }, facts }) => {
  if (data.split.share === 1)
    return [
      error({
        code: 'nothing-to-train',
        path: ['data', 'split', 'share'],
        message: 'All rows are held out.',
        expected: 'a share below 1',
      }),
    ];
  if (facts.rows && facts.tokens?.sampledRows === undefined && trainedRows(facts) === 0) return noRowLeft(facts.rows);
  return [];
};

/** What is wrong with the rows says it, unless others were left out as was asked. */
function noRowLeft({ heldout, lost }: NonNullable<Parameters<Check>[0]['facts']['rows']>): readonly Issue[] {
  const { issues = [], fates = {} } = lost ?? {};
  const left = [leftOut(fates), heldout > 0 && `${heldout} held out`].filter(Boolean).join(', ');
  if (issues.length > 0 && left === '') return issues;
  return [
    error({
      code: 'nothing-to-train',
      path: ['data'],
      message: `No row is left to train on${left && `: ${left}`}.`,
      fix: 'martlet data inspect, with this recipe, shows what becomes of them.',
    }),
    ...issues,
  ];
}

/** Whether any row is held out: false only when it is certain that none is. */
function mayHoldOut({ values: { data }, facts }: Parameters<Check>[0]): boolean {
  const { heldOut, share } = data.split;
  // Without any row at all, that is the trouble, and it has been said.
  if (facts.rows?.train === 0 && facts.rows.heldout === 0) return true;
  return heldOut?.length !== 0 && (heldOut !== null || share !== 0) && facts.rows?.heldout !== 0;
}

interface NoneHeldOut {
  readonly rows: NonNullable<Parameters<Check>[0]['facts']['rows']>;
  readonly share: number;
  /** The column whose values are drawn, and not rows by themselves. */
  readonly by: string | null;
}

/** Which rows fall within a share, a hash of each (or of its value) decides: of few, none may. */
function fixOfNone({ rows: { train, oneRow }, share, by }: NoneHeldOut): string {
  if (by !== null)
    return `No value of ${by} falls within a share of ${share}: each is held out whole or not at all. Raise data.split.share, or name values in data.split.heldOut.`;
  if (train === 1) return 'One row cannot be both learned and held out: add rows.';
  const enough = oneRow?.share ?? (share < 0.2 ? 0.2 : 0.5);
  return `A hash of each row decides, and none of these ${train} falls within ${share}. Write data: { split: { share: ${enough} } }.`;
}

/** Training can do without held-out rows; what measures cannot. */
export const measuringNeedsHeldOut: Check = (context) => {
  const { values, execution, facts, walked } = context;
  const stages = [
    ...(values.eval.tasks.length > 0 ? ['eval'] : []),
    ...(values.export.formats.length > 0 ? ['export'] : []),
  ];
  const needs = [...(execution.evalEvery === null ? [] : ['train.evalEvery']), ...stages];
  if (needs.length === 0 || mayHoldOut(context)) return [];
  const isRefused = execution.evalEvery !== null || stages.some((stage) => walked.includes(stage));
  const { heldOut, share, by } = values.data.split;
  const { rows } = facts;
  const isNone = heldOut === null && share !== null && share > 0 && rows !== undefined;
  const need = `${needs.join(', ').replace(/, (?=\w+$)/, ' and ')} need${needs.length === 1 ? 's' : ''} some`;
  const finding = {
    code: 'nothing-held-out',
    path: ['data', 'split', heldOut === null ? 'share' : 'heldOut'],
    message: `No row is held out; ${need}.`,
    ...(isNone
      ? { fix: fixOfNone({ rows, share, by }) }
      : {
          expected: heldOut === null ? 'a share above 0' : 'values that occur in the rows',
          fix:
            execution.evalEvery === null
              ? 'Training goes without: martlet train.'
              : 'Training goes without, if train.evalEvery is left out.',
        }),
  };
  return [isRefused ? error(finding) : warning(finding)];
};

/** Where all rows were read, a build over the budget is refused before anything is fetched for it; others it tells of itself. */
export const rowsUsable: Check = ({ values: { data }, facts: { rows }, walked }) => {
  const { lost } = rows ?? {};
  if (!rows || !lost || lost.issues.length === 0 || rows.train + rows.heldout === 0) return [];
  const { message, fix, lines } = tellLost(lost, data.budget.dropped);
  const path = ['data', 'sources'];
  const [first] = lines;
  if (isWithinBudget(lost, data.budget.dropped))
    return walked.includes('data')
      ? []
      : [warning({ code: 'rows-unusable', path, message: `${message}; the first: ${first}` })];
  if (!walked.includes('data'))
    return [
      warning({
        code: 'rows-unusable',
        path,
        message: `${message}; the first: ${first}`,
        fix: `${fix} Until then no dataset is built.`,
      }),
    ];
  if (rows.exact === false) return [];
  return [error({ code: 'loss-budget', path, message: `${message}.`, fix: [fix, ...lines].join('\n    ') })];
};

/** At least so many rows are lost as tokens: those that are held out are not encoded for a plan. */
export const documentsWithinBudget: Check = ({ values: { data, render }, facts: { rows, tokens }, walked }) => {
  const { lost = 0, sampledRows, tooLong } = tokens ?? {};
  const { fates = {} } = rows?.lost ?? {};
  const [unusable, of] = [fates.invalid ?? 0, takenRows(fates)];
  if (rows?.exact === false || (rows?.undecided ?? []).length > 0 || lost === 0 || sampledRows !== undefined) return [];
  // Refused rows are told by themselves.
  if (lost + unusable <= data.budget.dropped * of || (tooLong && render.overflow === 'refuse')) return [];
  const long = tooLong ? `, ${tooLong.rows} of them longer than ${render.lengthTokens} tokens` : '';
  const finding = {
    code: 'loss-budget',
    path: ['data', 'budget', 'dropped'],
    message: `${lost} of ${of} rows become no document${long}; the budget allows ${formatPercent(data.budget.dropped)}.`,
    fix: `Mend the rows, or allow the loss: data.budget.dropped: ${shareAbove((lost + unusable) / Math.max(1, of))} or more.`,
  };
  return [walked.includes('shard') ? error(finding) : warning(finding)];
};

/** Mixing ends with a source: what others have left then is not learned. */
export const mixingReaches: Check = ({ values: { data }, facts: { rows } }) =>
  (rows?.unmixed ?? []).map(({ source, rows: left, of }) => {
    const weights = data.sources.map(({ weight }) => weight);
    const isPartly = weights.some((weight) => weight !== null) && weights.includes(null);
    return warning({
      code: 'mix-leaves-out',
      path: ['data', 'mixStop'],
      message: `Mixing leaves out ${left} of ${of} rows of ${source}: it ends with the ${data.mixStop === 'first-exhausted' ? 'first' : 'last'} source to run out${isPartly ? ', and a source without a weight has 1' : ''}.`,
      fix: `${isPartly ? 'Give every source a weight' : 'Give sources a weight by their rows'}, or set data.mixStop: all-exhausted, or data.mix: concat.`,
    });
  });

export const columnsThere: Check = ({ facts }) => facts.rows?.absent ?? [];

export const sourcesOnce: Check = ({ values: { data } }) =>
  data.sources.flatMap((source, index) => {
    const first = data.sources.findIndex(({ from }) => from === source.from);
    return first < index
      ? [
          warning({
            code: 'source-twice',
            path: ['data', 'sources', index, 'from'],
            message: `The same source as data.sources[${first}]: its rows count as duplicates.`,
            fix: 'Remove it; to learn rows more often, raise train.epochs.',
          }),
        ]
      : [];
  });
