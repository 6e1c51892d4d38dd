import { isAnswered } from '../core/is-answered.ts';
import { formatCount } from '../core/units.ts';
import { methodNamed } from '../methods/index.ts';
import type { Sample } from '../schema/sample.ts';

/** Rows looked at. */
const looked = 1000;

type Part = 'rejected' | 'ranked' | 'positives' | 'negatives';

/** What a row may hold beside its answer, and which methods use it. */
const parts: readonly { readonly part: Part; readonly says: string; readonly usedBy: readonly string[] }[] = [
  { part: 'rejected', says: 'a rejected answer', usedBy: ['pair'] },
  { part: 'ranked', says: 'ranked answers', usedBy: ['pair', 'group'] },
  { part: 'positives', says: 'documents that are alike', usedBy: [] },
  { part: 'negatives', says: 'documents that are unlike', usedBy: [] },
];

/** What the first rows of a dataset hold and a method leaves alone, in words; rows that it learns nothing from too. */
export async function unusedParts(request: {
  /** In their order. */
  readonly samples: AsyncIterable<Sample>;
  readonly method: string;
}): Promise<readonly string[]> {
  const { samples, method } = request;
  const { layout } = methodNamed(method);
  const unused = parts.filter(({ usedBy }) => !usedBy.includes(layout));
  const counts = new Map<string, { rows: number; readonly first: string }>();
  const count = (what: string, { provenance: { file, line } }: Sample): void => {
    const known = counts.get(what);
    if (known) known.rows++;
    else counts.set(what, { rows: 1, first: `${file}:${line}` });
  };
  let rows = 0;
  for await (const sample of samples) {
    rows++;
    for (const { part, says } of unused) if (sample[part] !== undefined) count(says, sample);
    if (!isAnswered(sample)) count('no answer', sample);
    if (rows === looked) break;
  }
  const of = rows === looked ? `the first ${formatCount(rows)} rows` : `${formatCount(rows)} rows`;
  return [...counts].map(([what, { rows: found, first }]) => {
    const [holds, then] =
      what === 'no answer'
        ? ['have no answer', 'learns nothing from them']
        : [`hold ${what}`, `trains on the ${what === 'ranked answers' ? 'best' : 'chosen'} answer alone`];
    return `${formatCount(found)} of ${of} ${holds}: ${method} ${then}; the first: ${first}`;
  });
}
