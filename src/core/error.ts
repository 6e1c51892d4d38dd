import { formatIssue, type Issue } from './issue.ts';

const marker = Symbol.for('martlet.error');

export interface MartletErrorOptions {
  /** What to do about it. */
  readonly hint?: string | undefined;
  /** Whether the same call may succeed later without a change. */
  readonly retryable?: boolean;
  readonly cause?: unknown;
  readonly issues?: readonly Issue[];
}

/**
 * What should not have happened, or cannot go on. One family, told apart by `code`, which is stable and documented.
 * Recognised by symbol, so that it survives duplicate copies of the package.
 */
export class MartletError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  readonly retryable: boolean;
  readonly issues: readonly Issue[];

  constructor(code: string, message: string, options: MartletErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'MartletError';
    this.code = code;
    this.hint = options.hint;
    this.retryable = options.retryable ?? false;
    this.issues = options.issues ?? [];
    Object.defineProperty(this, marker, { value: true });
  }

  static is(value: unknown): value is MartletError {
    return typeof value === 'object' && value !== null && marker in value;
  }
}

/** Issues at an edge that can only stop: all of them, one a line. */
export function issuesError(what: string, issues: readonly Issue[]): MartletError {
  const errors = issues.filter((issue) => issue.severity === 'error');
  const lines = errors.map((issue) => `  ${formatIssue(issue)}`).join('\n');
  return new MartletError(
    'invalid-input',
    `${what} has ${errors.length} problem${errors.length === 1 ? '' : 's'}:\n${lines}`,
    { issues },
  );
}

/** A fact of the program, not of its input: a failure here is a bug in Martlet. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition)
    throw new MartletError('bug', `Martlet is wrong here: ${message}`, { hint: 'Report it with this message.' });
}

/** What any thrown value says. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
