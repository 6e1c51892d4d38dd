import { issuesError, MartletError } from '../core/error.ts';
import { formatPath, type Issue } from '../core/issue.ts';
import { formatCount } from '../core/units.ts';
import { type BatchRow, type BatchSettings, batchRow, type RowReading, readQuestions } from '../pipeline.ts';
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
  const values = planOfSource(input, { ...context, set }).values.data;
  const wrong = new Map<string, { readonly first: Issue; rows: number }>();
  const rows: BatchRow[] = [];
  const take = ({ sample, file, line, issues }: RowReading): void => {
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

function countedIssue({ first, rows }: { readonly first: Issue; readonly rows: number }): Issue {
  if (rows === 1) return first;
  return { ...first, message: `${first.message} ${formatCount(rows - 1)} more like it.` };
}
