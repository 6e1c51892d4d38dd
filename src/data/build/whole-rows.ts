import type { WholeRows } from '../steps/step.ts';

export interface WholeRowsRequest {
  /** For each batch the index of each row's source. */
  readonly sources: readonly Uint16Array[];
  /** Numbers, among all rows, of those that reach the step. */
  readonly live: Uint32Array;
  readonly addresses: readonly string[];
  /** Where row `index` of a batch stands; `number`: among all rows. */
  readonly place: (at: { readonly batch: number; readonly index: number; readonly number: number }) => string;
  /** Of row `index` of a batch. */
  readonly feature: (at: { readonly batch: number; readonly index: number }) => Uint8Array;
}

/** The rows a step looks at together. */
export function wholeRows({ sources, live, addresses, place, feature }: WholeRowsRequest): WholeRows {
  const starts = new Float64Array(sources.length);
  for (let i = 1; i < sources.length; i++) starts[i] = (starts[i - 1] ?? 0) + (sources[i - 1]?.length ?? 0);
  let batch = 0;
  let index = 0;
  let number = 0;
  /** Sets the batch of a row and its place there; rows are mostly asked for in order. */
  const find = (row: number): void => {
    number = live[row] ?? 0;
    while (number < (starts[batch] ?? 0)) batch--;
    while (batch + 1 < starts.length && number >= (starts[batch + 1] ?? 0)) batch++;
    index = number - (starts[batch] ?? 0);
  };
  return {
    count: live.length,
    source(row) {
      find(row);
      return addresses[sources[batch]?.[index] ?? 0] ?? '';
    },
    place(row) {
      find(row);
      return place({ batch, index, number });
    },
    feature(row) {
      find(row);
      return feature({ batch, index });
    },
  };
}
