import type { z } from 'zod';
import type { Expression } from './expression.ts';

/** A training method: its parameters, the rows it needs, and its loss. Defined once; every engine evaluates the same expression. */
export interface Method<Parameters extends z.ZodType = z.ZodType> {
  readonly name: string;
  readonly summary: string;
  /** Where the formula comes from. */
  readonly source: string;
  readonly parameters: Parameters;
  /**
   * `sequence`: one document a row. `pair`: a preferred and a rejected one, in this order, as one group. `group`: one for
   * each answer of the row.
   */
  readonly layout: 'sequence' | 'pair' | 'group';
  /** The loss that is minimised, over one step. */
  loss(parameters: z.output<Parameters>): Expression;
}

export function defineMethod<Parameters extends z.ZodType>(method: Method<Parameters>): Method<Parameters> {
  return Object.freeze(method);
}
