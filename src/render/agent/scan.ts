/**
 * Text of marks with holes between them, read from left to right. What is looked for is found, or known to be missing, once
 * for all places it is looked for from: no text, however it was made, takes longer than a few times its length.
 */

/** A stretch that is kept by its name. */
export interface Hole {
  readonly hole: string;
  /** As far as this goes, which must be sticky and not empty; without it, up to the first place that what follows matches. */
  readonly run?: RegExp;
}

/** White space, or none. */
export const space = { space: true } as const;

/** A mark as it stands, white space, or a hole. Behind a hole without `run` comes a mark. */
export type Shape = readonly (string | typeof space | Hole)[];

export interface Found {
  readonly start: number;
  readonly end: number;
  readonly holes: Readonly<Record<string, string>>;
}

/** Every place that a shape matches, none of them within another. */
export function findAll(text: string, shape: Shape): readonly Found[] {
  const [first, ...rest] = shape;
  if (typeof first !== 'string') throw new TypeError('a shape begins with a mark');
  const ends = new Map<number, { from: number; at: number }>();
  const found: Found[] = [];
  for (let start = text.indexOf(first); start >= 0; ) {
    const match = matchAt({ text, shape: rest, ends }, start + first.length);
    if (match) found.push({ start, ...match });
    start = text.indexOf(first, match ? match.end : start + 1);
  }
  return found;
}

interface Matching {
  readonly text: string;
  readonly shape: Shape;
  /** By the place of a hole in the shape: where it was found to end, and from where on that was looked for. */
  readonly ends: Map<number, { from: number; at: number }>;
}

function matchAt({ text, shape, ends }: Matching, start: number): Omit<Found, 'start'> | undefined {
  const holes: Record<string, string> = {};
  let at = start;
  for (const [index, part] of shape.entries()) {
    if (isHole(part)) {
      const end = part.run ? runEnd(text, part.run, at) : holeEnd({ text, shape, ends }, index, at);
      if (end < 0) return undefined;
      holes[part.hole] = text.slice(at, end);
      at = end;
    } else {
      const end = skip(text, part, at);
      if (end < 0) return undefined;
      at = end;
    }
  }
  return { end: at, holes };
}

const isHole = (part: Shape[number]): part is Hole => typeof part !== 'string' && 'hole' in part;

/** The place behind a mark or space; -1 where the mark does not stand here. */
function skip(text: string, part: string | typeof space, at: number): number {
  if (typeof part === 'string') return text.startsWith(part, at) ? at + part.length : -1;
  return runEnd(text, /\s*/y, at);
}

function runEnd(text: string, run: RegExp, at: number): number {
  run.lastIndex = at;
  return run.test(text) ? run.lastIndex : -1;
}

/** The first place from here on where all that follows up to the next hole matches; -1 where there is none. */
function holeEnd({ text, shape, ends }: Matching, ...[index, from]: [index: number, from: number]): number {
  const known = ends.get(index);
  if (known && known.from <= from && (known.at < 0 || from <= known.at)) return known.at;
  const next = shape.findIndex((part, place) => place > index && isHole(part));
  const closing = shape.slice(index + 1, next < 0 ? undefined : next) as readonly (string | typeof space)[];
  const [mark] = closing;
  if (typeof mark !== 'string') throw new TypeError('behind a hole comes a mark');
  let at = text.indexOf(mark, from);
  while (at >= 0 && closing.reduce((place, part) => (place < 0 ? place : skip(text, part, place)), at) < 0)
    at = text.indexOf(mark, at + 1);
  ends.set(index, { from, at });
  return at;
}
