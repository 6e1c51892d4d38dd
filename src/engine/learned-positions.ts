/** One document of a pack: weights[i] > 0 where token i is learned. */
export interface TrainDocument {
  readonly ids: ArrayLike<number>;
  readonly weights: ArrayLike<number>;
}

/** Where a pack learns, position by position. */
export interface Learned {
  /** Row whose output predicts the token: the one before it. */
  readonly positions: Int32Array;
  readonly labels: BigInt64Array;
  readonly weights: Float32Array;
  /** Document of each, counted from 0 in the pack. */
  readonly documents: Int32Array;
  readonly documentCount: number;
}

/** Every token of weight above 0 that has a token before it to be predicted from. */
export function learnedPositions(documents: readonly TrainDocument[]): Learned {
  const positions: number[] = [];
  const labels: bigint[] = [];
  const weights: number[] = [];
  const owners: number[] = [];
  let first = 0;
  documents.forEach(({ ids, weights: given }, document) => {
    for (let i = 1; i < ids.length; i++) {
      const weight = given[i] ?? 0;
      if (weight <= 0) continue;
      positions.push(first + i - 1);
      labels.push(BigInt(ids[i] ?? 0));
      weights.push(weight);
      owners.push(document);
    }
    first += ids.length;
  });
  return {
    positions: Int32Array.from(positions),
    labels: BigInt64Array.from(labels),
    weights: Float32Array.from(weights),
    documents: Int32Array.from(owners),
    documentCount: documents.length,
  };
}

/** Bytes of logits at a time: the head makes two temporaries of this size. */
const headChunkBytes = 48 << 20;

/** Even chunks, each of at most `headChunkBytes` of logits. */
export function headChunks(count: number, vocabulary: number): [number, number][] {
  const most = Math.max(1, Math.floor(headChunkBytes / (4 * vocabulary)));
  const pieces = Math.ceil(count / most);
  return Array.from({ length: pieces }, (_, piece) => [
    Math.floor((piece * count) / pieces),
    Math.floor(((piece + 1) * count) / pieces),
  ]);
}
