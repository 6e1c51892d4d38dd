import { z } from 'zod';
import { formatPath } from '../../core/issue.ts';
import { nearestName } from '../../core/nearest.ts';
import { fates } from '../../schema/fates.ts';
import { sample as sampleSchema } from '../../schema/sample.ts';
import { shown } from '../row-notes.ts';
import type { Drop, WholeVerdict } from './step.ts';

const dropFates = ['filtered', 'duplicate', 'contaminated', 'limited', 'invalid'] as const satisfies Drop['fate'][];

const drop = z.strictObject({ fate: z.enum(dropFates), code: z.string().min(1), reason: z.string().min(1) });
const verdict = z.strictObject({
  sample: sampleSchema.optional(),
  changes: z.array(z.string()).optional(),
  drop: drop.optional(),
  truncated: z.literal(true).optional(),
  lacks: z.record(z.string(), z.string()).optional(),
});

const expectedVerdict = 'expected { sample, changes, drop, truncated }, each where there is one, or null';
const expectedDrop = `expected drop: { fate: ${dropFates.join(' | ')}, code, reason }`;

/** What is wrong with an answer about one row that types would not have let pass, after "the step x". */
export function wrongVerdict(given: unknown): string | undefined {
  if (given === null || given === undefined) return undefined;
  if (given instanceof Promise) return 'answers with a promise: write apply without async';
  if (typeof given !== 'object' || Array.isArray(given))
    return `answers with ${Array.isArray(given) ? 'a list' : `a ${typeof given}`}; ${expectedVerdict}`;
  if ('messages' in given) return `answers with a row; expected { sample: row }, or null where it stays as it is`;
  const [issue] = verdict.safeParse(given).error?.issues ?? [];
  if (!issue) return undefined;
  const path = issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key));
  if (path[0] === 'sample') return `makes a row that is none: ${formatPath(path.slice(1))}: ${issue.message}`;
  if (path[0] === 'drop') return `answers with ${wrongDrop((given as { readonly drop: unknown }).drop)}`;
  if (issue.code === 'unrecognized_keys')
    return `answers with ${issue.keys.join(', ')}; ${expectedVerdict}${meant(issue.keys[0], Object.keys(verdict.shape))}`;
  return `answers with ${formatPath(path)} that is wrong: ${issue.message}; ${expectedVerdict}`;
}

/** What is wrong with a drop; undefined when nothing is. */
export function wrongDrop(given: unknown): string | undefined {
  const [issue] = drop.safeParse(given).error?.issues ?? [];
  if (!issue) return undefined;
  const said = `drop: ${shown(given)}; ${expectedDrop}`;
  if (issue.code === 'unrecognized_keys') return `${said}${meant(issue.keys[0], Object.keys(drop.shape))}`;
  const fate = (given as { readonly fate?: unknown } | null)?.fate;
  if (issue.path[0] !== 'fate' || typeof fate !== 'string') return said;
  return (fates as readonly string[]).includes(fate)
    ? `${said}: ${fate} is not for a step to say`
    : `${said}${meant(fate, dropFates)}`;
}

const meant = (name: string | undefined, known: readonly string[]): string => {
  const near = name === undefined ? undefined : nearestName(name, known);
  return near === undefined ? '' : `; did you mean ${near}?`;
};

/**
 * What a step over all rows decided, each drop checked as it is taken.
 * @throws Error saying what was expected
 */
export function checkedDecision(given: WholeVerdict, count: number): WholeVerdict {
  const { drops, order } = (given ?? {}) as Partial<WholeVerdict>;
  if (typeof drops?.[Symbol.iterator] !== 'function')
    throw new Error(`it decides ${shown(given)}; expected { drops, order }, with [row, drop] for each row dropped`);
  if (order !== undefined && !(order instanceof Uint32Array && order.length === count))
    throw new Error(`its order must be a Uint32Array with a number for each of the ${count} rows`);
  return {
    drops: checkedDrops(drops, count),
    ...(order !== undefined && { order }),
  };
}

function* checkedDrops(drops: WholeVerdict['drops'], count: number): Generator<readonly [row: number, drop: Drop]> {
  let last = -1;
  for (const entry of drops as Iterable<unknown>) {
    const [row, dropped] = Array.isArray(entry) ? (entry as [unknown, unknown]) : [];
    if (!Number.isInteger(row) || Number(row) <= last || Number(row) >= count)
      throw new Error(
        `it drops row ${shown(row)}; expected [row, drop], rows in rising order, each once, below ${count}`,
      );
    const wrong = wrongDrop(dropped);
    if (wrong !== undefined) throw new Error(`it decides ${wrong}`);
    last = Number(row);
    yield [last, dropped as Drop];
  }
}
