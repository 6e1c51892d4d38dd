import { formatPath } from '../core/issue.ts';
import type { Plan } from '../schema/plan.ts';
import type { Derived } from './derive.ts';
import type { Origins, Path } from './places.ts';

/**
 * Notes, while a plan is made, where each of its values came from. `path` is a value's path in the recipe, `as` its path
 * in the plan where that differs.
 */
export interface OriginNotes {
  readonly origins: Plan['origins'];
  /** A value of the recipe: written, or left to a default that depends on nothing. */
  take<T>(path: Path, value: T, as?: Path): T;
  /** A value of the recipe or, when it was left out, null: no such limit. */
  orNull<T>(path: Path, value: T | undefined, as?: Path): T | null;
  /** A value of the recipe or, when it was left out, a default that depends on something else. */
  orDerive<T>(path: Path, value: T | undefined, derive: () => Derived<T>, as?: Path): T;
}

export function noteOrigins(given: Origins): OriginNotes {
  const origins: Plan['origins'] = {};
  const take = <T>(path: Path, value: T, as: Path = path): T => {
    origins[formatPath(as)] = { origin: given.get(formatPath(path)) ?? 'default' };
    return value;
  };
  return {
    origins,
    take,
    orNull: (path, value, as) => take(path, value ?? null, as),
    orDerive: (path, value, derive, as = path) => {
      if (value !== undefined) return take(path, value, as);
      const derived = derive();
      origins[formatPath(as)] = { origin: derived.origin ?? 'derived', reason: derived.reason };
      return derived.value;
    },
  };
}
