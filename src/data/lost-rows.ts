import type { Issue } from '../core/issue.ts';
import { type LostReason, type LostRows, lackingSplit } from '../core/lost-rows.ts';
import { formatCounted } from '../core/units.ts';
import type { Fate } from '../schema/fates.ts';
import type { DataValues } from './opened-source.ts';
import { isObject, type JsonObject } from './strict-json.ts';

interface Counted {
  readonly fates: Readonly<Partial<Record<Fate, number>>>;
  readonly lost: readonly LostReason[];
  readonly lostByCode: ReadonlyMap<string, number>;
}

/** What was lost, with one problem for all rows that lack the column of the split: it is the recipe's, not each row's. */
export function lostRows({ fates, lost, lostByCode }: Counted, values: DataValues): LostRows {
  const byCode = Object.fromEntries(lostByCode);
  const others = lost.filter(({ issue }) => issue.code !== lackingSplit);
  const lacking = lost.flatMap(({ issue }) => (issue.code === lackingSplit ? [issue] : []));
  const told = { fates, byCode, issues: others.map(({ issue }) => issue), alike: others.map(({ rows }) => rows) };
  const [first] = lacking;
  if (!first) return told;
  const { by } = values.split;
  const places = lacking.slice(0, 3).flatMap(({ place }) => (place ? [`${place.file}:${place.line}`] : []));
  const issue: Issue = {
    code: lackingSplit,
    severity: 'error',
    path: ['data', 'split', 'by'],
    message: `${formatCounted(byCode[lackingSplit] ?? 0, 'row')} without ${by}, which decides their side; the first: ${places.join(', ')}.`,
    ...(isMade(values, by ?? '')
      ? { fix: `The steps make ${by}, and a split looks at the columns that rows came with: split by one of those.` }
      : first.fix !== undefined && { fix: first.fix }),
  };
  return { ...told, issues: [issue, ...told.issues], alike: [1, ...told.alike] };
}

/** Whether a step of the recipe writes this column. */
function isMade({ steps }: DataValues, column: string): boolean {
  return steps.some(({ step, options }) => {
    if (!isObject(options ?? undefined)) return false;
    const { set, rename, column: written } = options as JsonObject;
    if (step === 'language') return written === column;
    const isSet = isObject(set) && Object.hasOwn(set, column);
    return step === 'map' && (isSet || (isObject(rename) && Object.values(rename).includes(column)));
  });
}
