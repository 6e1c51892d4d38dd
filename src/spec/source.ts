import type { Json } from '../schema/common.ts';

/**
 * Rows from a place that Martlet does not know. A recipe names the module (`from: ./my-source.ts`), which exports it as
 * `default`, made with `defineSource`.
 */
export interface Source {
  /** For people: how the source is called in messages. */
  readonly name: string;
  /**
   * Gives the rows, one at a time, always in the same order: a row is known by its number. It is called more than once: to
   * recognise the format, to fingerprint the rows, to read them.
   */
  open(context: SourceContext): AsyncIterable<SourceRow> | Iterable<SourceRow> | Promise<AsyncIterable<SourceRow>>;
  /** How many rows there are, where that is known without reading them. */
  count?(context: SourceContext): number | Promise<number>;
}

/** A row as an object with named columns. */
export type SourceRow = { readonly [column: string]: Json };

export interface SourceContext {
  /** The folder of the module: what relative paths start from. */
  readonly folder: string;
  /** `data.sources[].options` of the recipe. */
  readonly options: { readonly [key: string]: Json };
  readonly signal?: AbortSignal | undefined;
}
