import type { Kwargs, Value } from './value.ts';

/** A filter: what it is applied to, then its arguments. */
export type Filter = (value: Value, args: readonly Value[], kwargs: Kwargs) => Value;

/** A test: what it is about, then its arguments. Its answer is taken for truth by whoever asks. */
export type Test = (value: Value, args: readonly Value[], kwargs: Kwargs) => Value;
