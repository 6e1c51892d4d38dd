import type { TextBuilder } from './text.ts';
import type { Value } from './value.ts';

export interface PrintedNothing {
  readonly line: number;
  /** Such as `'dict object' has no attribute 'contnt'`. */
  readonly message: string;
}

/** What one rendering knows. */
export interface Runtime {
  /** Where output goes: the page, or the capture of a macro or set block. */
  out: TextBuilder;
  /** The page itself, to tell whether output is being captured. */
  readonly page: TextBuilder;
  /** Variables given to the template, and globals behind them. */
  lookup(name: string): Value | undefined;
  /** Names assigned at the top, for blocks. */
  vars: Map<string, Value>;
  /** Start and end, in UTF-16, of each `{% generation %}` written straight to the page. */
  readonly generations: number[];
  /** The first that was printed and is not there: empty text, as in Python. */
  printedNothing: PrintedNothing | undefined;
  /** The line being executed, for messages. */
  line: number;
}

/** One activation of a template, macro or recursive loop: its variables, absent ones undefined. */
export interface Env {
  readonly slots: (Value | undefined)[];
  readonly parent: Env | undefined;
  readonly runtime: Runtime;
}

export type Evaluate = (env: Env) => Value;

/** How a statement ended. */
export const DONE = 0;
export const BREAK = 1;
export const CONTINUE = 2;
export type Signal = typeof DONE | typeof BREAK | typeof CONTINUE;
export type Execute = (env: Env) => Signal;

export function newEnv(runtime: Runtime, parent: Env | undefined): Env {
  return { slots: [], parent, runtime };
}
