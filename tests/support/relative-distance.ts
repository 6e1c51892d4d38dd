/** |ours - theirs| over |theirs|, as vectors (Euclidean). A number that is missing makes it NaN, which is below no bound. */
export function relativeDistance(ours: ArrayLike<number>, theirs: ArrayLike<number>): number {
  let difference = 0;
  let size = 0;
  for (let i = 0; i < Math.max(ours.length, theirs.length); i++) {
    const expected = theirs[i] ?? Number.NaN;
    difference += ((ours[i] ?? Number.NaN) - expected) ** 2;
    size += expected ** 2;
  }
  return Math.sqrt(difference / (size + 1e-20));
}
