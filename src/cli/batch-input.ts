import { issuesError, MartletError } from '../core/error.ts';
import { formatPath, type Issue } from '../core/issue.ts';
import { formatCount } from '../core/units.ts';
import { type BatchRow, type BatchSettings, batchRow, type RowReading, readQuestions } from '../pipeline.ts';
import type { Plan, PlanValues } from '../schema/plan.ts';
import type { CliContext } from './context.ts';
import { failureOfSource, planOfSource } from './one-source.ts';
import { sourceReading } from './source-reading.ts';

/** No embargo holds: it is training that rows under one must not be used for. */
const endOfDays = '9999-12-31';

/**
 * The rows of a source as questions, in order, read as `data.sources` are: any format, a pattern, a hub's data set.
 * @throws MartletError `invalid-input` with all that is wrong with any row, each kind once; `no-rows`
 */
export async function readBatchInput(
  input: string,
  {
    context,
    set,
    settings,
  }: { readonly context: CliContext; readonly set: readonly string[]; readonly settings: BatchSettings },
): Promise<readonly BatchRow[]> {
  const { values: plan, origins } = planOfSource(input, { ...context, set });
  const values = plan.data;
  tellUnused(origins, context);
  const isTaken = withinLimits(values.sources);
  const wrong = new Map<string, { readonly first: Issue; rows: number }>();
  const rows: BatchRow[] = [];
  const take = ({ source, sample, file, line, issues }: RowReading): void => {
    if (!isTaken(source, sample !== null)) return;
    const row = sample ? batchRow(sample, { file, line, settings }) : ({ ok: false, issues } as const);
    if (row.ok) rows.push(row.value);
    else
      for (const issue of row.issues) {
        const place = issue.place ?? { file, line, column: 1 };
        const kind = `${issue.code} ${formatPath(issue.path).replaceAll(/\d+/g, '')}`;
        const known = wrong.get(kind) ?? { first: { ...issue, place }, rows: 0 };
        wrong.set(kind, { ...known, rows: known.rows + 1 });
      }
  };
  try {
    for await (const reading of readQuestions({ ...sourceReading(context), values, today: endOfDays })) take(reading);
  } catch (error) {
    throw failureOfSource(error, { from: input, flag: '--input' });
  }
  if (wrong.size > 0) throw issuesError(input, [...wrong.values()].map(countedIssue));
  if (rows.length === 0) throw new MartletError('no-rows', `${input} has no rows`);
  return rows;
}

/** What of a recipe decides how a row is read, and which rows. */
const readingPaths = /^data\.(sources|maxRowMiB|seed|turns|mix|mixStop)\b/;

/** Of what was given, what questions have no use for: they are asked as they are read. */
function tellUnused(origins: Plan['origins'], context: CliContext): void {
  const unused = Object.entries(origins).flatMap(([path, { origin }]) =>
    origin === 'flag' && !readingPaths.test(path) ? [path] : [],
  );
  const named = new Set(unused.map((path) => (path.startsWith('data.steps') ? 'data.steps' : path)));
  if (named.size === 0) return;
  context.err(
    `warning not applied: ${[...named].join(', ')}. Rows are asked as they are read; what is set of data.sources counts. [no-effect]\n`,
  );
}

/** Whether a source has room for another row: `limit` counts those that can be asked. */
function withinLimits(sources: PlanValues['data']['sources']) {
  const left = new Map(sources.map(({ from, limit }) => [from, limit ?? Number.POSITIVE_INFINITY]));
  return (source: string, isAsked: boolean): boolean => {
    const room = left.get(source) ?? 0;
    if (room > 0 && isAsked) left.set(source, room - 1);
    return room > 0;
  };
}

function countedIssue({ first, rows }: { readonly first: Issue; readonly rows: number }): Issue {
  if (rows === 1) return first;
  return { ...first, message: `${first.message} ${formatCount(rows - 1)} more like it.` };
}
