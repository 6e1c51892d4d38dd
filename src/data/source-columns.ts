import { basename } from 'node:path';
import type { Issue } from '../core/issue.ts';
import { nearestName } from '../core/nearest.ts';
import type { ColumnNames } from './rename-columns.ts';
import { columnValue } from './split.ts';
import type { JsonObject } from './strict-json.ts';

/** Looks in rows for the columns that a recipe names. */
export function columnSearch(names: ColumnNames | null) {
  const given = Object.entries(names ?? {});
  const unseen = new Set(Object.keys(names ?? {}));
  const columns = new Set<string>();
  return {
    /** Every column seen. */
    columns: columns as ReadonlySet<string>,
    saw(row: JsonObject): void {
      for (const column of Object.keys(row)) columns.add(column);
      for (const theirs of unseen) if (columnValue(row, theirs) !== undefined) unseen.delete(theirs);
    },
    isOver: (): boolean => unseen.size === 0,
    /** One for each column that none of the rows has. */
    issues: ({ file, index }: { readonly file: string; readonly index: number }): readonly Issue[] => {
      const isSwapped = ([theirs, ours]: readonly [string, string]): boolean => unseen.has(theirs) && columns.has(ours);
      const turned = given.map((pair) => (isSwapped(pair) ? pair.toReversed() : pair).join(': '));
      return [...unseen].map((theirs) => {
        const near = nearestName(theirs, columns);
        const meant = near ? `Did you mean ${near}?` : `The columns are ${[...columns].join(', ')}.`;
        return {
          code: 'column-missing',
          severity: 'error',
          path: ['data', 'sources', index, 'columns', theirs],
          message: `no row of ${basename(file)} has the column ${theirs}.`,
          fix: isSwapped([theirs, names?.[theirs] ?? ''])
            ? `The name in the rows comes first: { ${turned.join(', ')} }.`
            : meant,
        };
      });
    },
  };
}
