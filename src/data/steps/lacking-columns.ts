import { formatIssue, type Issue } from '../../core/issue.ts';
import { nearestName } from '../../core/nearest.ts';
import { formatCount } from '../../core/units.ts';
import type { PlanValues } from '../../schema/plan.ts';

type StepValues = PlanValues['data']['steps'][number];

/** Columns that a step names and a row has not, each with what may have been meant. */
export type Lacks = Readonly<Record<string, string>>;

/** A column that a step names, and rows that came to the step without it. */
export interface LackingColumn {
  /** Index in `data.steps`. */
  readonly step: number;
  readonly column: string;
  readonly rows: number;
  /** Rows that came to the step. */
  readonly reached: number;
  /** Where the first of them stands. */
  readonly first: string;
  readonly fix: string;
}

/** What may have been meant by a column that is not among `names`. */
export function columnMeant(column: string, names: readonly string[]): string {
  const near = nearestName(column, names);
  if (near !== undefined) return `Did you mean ${near}?`;
  return names.length > 0 ? `The columns are ${names.join(', ')}.` : 'Take it out.';
}

/** By step and column. */
export type LackingTotals = Map<string, Omit<LackingColumn, 'rows' | 'reached'> & { rows: number }>;

/** Counts, over rows in their order, what they lack of what steps name: in `found`. */
export function lackingColumns(found: LackingTotals = new Map()) {
  return {
    add({ step, lacks, place }: { readonly step: number; readonly lacks: Lacks; readonly place: string }): void {
      for (const [column, fix] of Object.entries(lacks)) {
        const key = `${step} ${column}`;
        const known = found.get(key);
        if (known) known.rows++;
        else found.set(key, { step, column, rows: 1, first: place, fix });
      }
    },
    /** `reached`: rows that came to a step. */
    all: (reached: (step: number) => number): readonly LackingColumn[] =>
      [...found.values()].map((lacking) => ({ ...lacking, reached: reached(lacking.step) })),
  };
}

const isEverywhere = ({ rows, reached }: LackingColumn): boolean => rows === reached;

/** Columns that no row has, where the recipe names them. */
export function absentColumns(
  found: readonly LackingColumn[],
  ...[steps, severity]: [readonly StepValues[], Issue['severity']]
): readonly Issue[] {
  return found.filter(isEverywhere).map(({ step, column, reached, fix }) => ({
    code: 'column-missing',
    severity,
    path: placeInStep(steps[step], step, column),
    message: `none of the ${formatCount(reached)} rows that come to this step has the column ${column}.`,
    fix,
  }));
}

/** Columns that some rows have and some have not. */
export function partlyLacking(found: readonly LackingColumn[]): readonly string[] {
  return found
    .filter((lacking) => !isEverywhere(lacking))
    .map(
      ({ step, column, rows, reached, first }) =>
        `data.steps[${step}]: ${formatCount(rows)} of ${formatCount(reached)} rows have no column ${column}; the first: ${first}`,
    );
}

/** All of it, for whoever looks at some rows alone. */
export function lackingWarnings(found: readonly LackingColumn[], steps: readonly StepValues[]): readonly string[] {
  return [...absentColumns(found, steps, 'warning').map(formatIssue), ...partlyLacking(found)];
}

/** Where in the recipe a step names a column, or a file: as a key, in a list, or in an expression. */
export function placeInStep(values: StepValues | undefined, ...[step, column]: [number, string]): Issue['path'] {
  const path = ['data', 'steps', step];
  for (const [option, value] of Object.entries(values?.options ?? {})) {
    if (Array.isArray(value) && value.includes(column)) return [...path, option, value.indexOf(column)];
    if (typeof value === 'object' && value !== null && !Array.isArray(value) && option !== 'set' && column in value)
      return [...path, option, column];
  }
  const reads = (expression: unknown): boolean => typeof expression === 'string' && expression.includes(column);
  for (const [option, value] of Object.entries(values?.options ?? {})) {
    if (reads(value)) return [...path, option];
    const [key] = Object.entries(option === 'set' && value ? value : {}).find(([, each]) => reads(each)) ?? [];
    if (key !== undefined) return [...path, option, key];
  }
  return path;
}
