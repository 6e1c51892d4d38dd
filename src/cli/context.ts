/**
 * What a command gets of the outside world; made once in `main.ts`. Nothing else reads the environment or prints.
 */
export interface CliContext {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** How the person called us, for commands we suggest. Absent: `martlet`. */
  readonly calledAs?: string;
  readonly stdin: NodeJS.ReadStream;
  /** Results: what a pipe would want. */
  out(text: string): void;
  /** Settles once what `out` was given has been taken; for results larger than memory. Absent: at once. */
  drained?(): Promise<void>;
  /** Everything said on the way: progress, warnings, errors. */
  err(text: string): void;
  readonly isTerminal: boolean;
  readonly colour: boolean;
  /** Width of the terminal, in columns. */
  readonly columns: number;
  /** Aborted at the first SIGINT or SIGTERM; a second one ends the process. */
  readonly signal: AbortSignal;
  now(): Date;
  /** 0 unless set: 1 failed, 2 the input is wrong, 130 interrupted. */
  setExitCode(code: number): void;
}
