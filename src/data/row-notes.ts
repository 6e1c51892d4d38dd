import { formatIssue, type Issue } from '../core/issue.ts';

/** Where in a row. */
export type RowPath = readonly (string | number)[];

/** What is found while one row is read. */
export interface RowNotes {
  readonly issues: Issue[];
  readonly changes: string[];
  /** Turns that do not take turns; each stands among the changes too. */
  readonly disorder: { readonly path: RowPath; readonly what: string }[];
  /** The row is a question: the answer at its end may be empty. */
  readonly isQuestion: boolean;
  /** Adds an error at a place inside the row. */
  problem(problem: RowProblem): void;
}

export interface RowProblem {
  readonly code: string;
  readonly path?: RowPath;
  readonly message: string;
  readonly expected?: string | undefined;
  readonly fix?: string | undefined;
  /** Where in the text of the row, when that is known: lines below its first (a row of an array may have many). */
  readonly at?: { readonly linesBelow: number; readonly column: number };
}

export function rowNotes(
  place: { readonly file: string; readonly line: number },
  { isQuestion = false }: { readonly isQuestion?: boolean | undefined } = {},
): RowNotes {
  const issues: Issue[] = [];
  return {
    issues,
    changes: [],
    disorder: [],
    isQuestion,
    problem({ code, path = [], message, expected, fix, at = { linesBelow: 0, column: 1 } }) {
      issues.push({
        code,
        severity: 'error',
        path,
        place: { file: place.file, line: place.line + at.linesBelow, column: at.column },
        message,
        ...(expected !== undefined && { expected }),
        ...(fix !== undefined && { fix }),
      });
    },
  };
}

interface StepProblem {
  /** Index in `data.steps`. */
  readonly step: number;
  readonly code: string;
  readonly reason: string;
}

/** What a step that could make nothing of a row found wrong with it. */
export function stepIssue(
  {
    source,
    file = source,
    line,
  }: { readonly source: string; readonly file?: string | undefined; readonly line: number },
  { step, code, reason }: StepProblem,
): Issue {
  return {
    ...{ code, severity: 'error', path: ['data', 'steps', step] },
    place: { file, line, column: 1 },
    message: `${reason}.`,
  };
}

export function formatIssues(issues: readonly Issue[]): string {
  return issues.map(formatIssue).join('; ');
}

/** A value as a message may show it: short, on one line. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}
