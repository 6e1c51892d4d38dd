/** A batch of rows on its way through the steps. */
export interface BatchState {
  readonly part: string;
  readonly rows: number;
  readonly sources: Uint16Array;
  readonly dead: Uint8Array;
  readonly deltas: string[];
  /** Hash of all that the rows have been through. */
  chain: string;
  feature: string | null;
}
