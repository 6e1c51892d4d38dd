import { formatPath } from '../core/issue.ts';

export type Path = readonly (string | number)[];

/** Where something stands; line and column count from 1. A flag stands in the file `--set`, at the line of its number. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Where each key and each value of a recipe stands, by path as `formatPath` writes it. The root has the path ``. */
export interface Places {
  readonly keys: ReadonlyMap<string, Place>;
  readonly values: ReadonlyMap<string, Place>;
}

/** Who gave each value of a recipe, by path as `formatPath` writes it. What is not in it was left to a default. */
export type Origins = ReadonlyMap<string, 'recipe' | 'flag'>;

/** The place of a value (or of its key), or of the nearest thing around it that was written at all. */
export function placeOf(places: Places, path: Path, part: 'key' | 'value' = 'value'): Place | undefined {
  const exact = places[part === 'key' ? 'keys' : 'values'].get(formatPath(path));
  if (exact) return exact;
  for (let length = path.length; length >= 0; length--) {
    const around = formatPath(path.slice(0, length));
    const place = places.keys.get(around) ?? places.values.get(around);
    if (place) return place;
  }
  return undefined;
}
