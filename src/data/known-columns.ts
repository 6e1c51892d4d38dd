import type { Issue } from '../core/issue.ts';
import { nearestName } from '../core/nearest.ts';
import { answerNames } from './answers.ts';
import { mediaNames, sharedColumns } from './columns.ts';
import { formats } from './formats.ts';
import type { DataValues } from './opened-source.ts';
import type { ColumnNames } from './rename-columns.ts';

/** Every column that something is read from, in whatever form a row is written. */
export const knownColumns: ReadonlySet<string> = new Set([
  ...formats.flatMap((format) => format.columns),
  ...sharedColumns,
  ...answerNames,
  ...mediaNames,
]);

/** Columns of rows that are kept for what another program does with them. */
const keptColumns = ['channel', 'env_config', 'teacher_prompt', 'teacher_tag', 'dataset', 'ref_audios', 'audio_codes'];

/** One for each `columns` of a source that reads a column as what nothing knows: its text would be lost in `extra`. */
export function targetIssues(columns: ColumnNames | null, { data, index }: TargetPlace): readonly Issue[] {
  return Object.entries(columns ?? {}).flatMap(([theirs, ours]): Issue[] => {
    // A column that would be read and is not to be may be called anything.
    if (knownColumns.has(theirs) || isTarget(ours, data)) return [];
    const near = nearestName(ours, [...knownColumns, ...keptColumns]);
    return [
      {
        code: 'column-target-unknown',
        severity: 'error',
        path: ['data', 'sources', index, 'columns', theirs],
        message: `${theirs} is to be read as ${ours}, which no form of rows has and no step uses.`,
        fix: near
          ? `Did you mean ${near}?`
          : 'A question is query, an answer is response, a system text is system; leave out columns that are only to be kept.',
      },
    ];
  });
}

interface TargetPlace {
  readonly data: Pick<DataValues, 'steps' | 'split'>;
  /** Index of the source. */
  readonly index: number;
}

const isTarget = (name: string, { steps, split }: TargetPlace['data']): boolean =>
  knownColumns.has(name) ||
  keptColumns.includes(name) ||
  /^negative_\d+$/.test(name) ||
  split.by === name ||
  split.by?.startsWith(`${name}.`) === true ||
  // A step of one's own may look at any column.
  steps.some(({ module, options }) => module !== null || names(name).test(JSON.stringify(options)));

/** Finds it where it is no part of a longer name. */
const names = (name: string): RegExp =>
  new RegExp(`(?<![\\p{L}\\p{N}_])${name.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')}(?![\\p{L}\\p{N}_])`, 'u');
