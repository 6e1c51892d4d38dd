import { type Checked, formatPath, type Issue } from '../core/issue.ts';
import type { Json } from '../schema/common.ts';
import { checkRecipe, inOrder, originsOf, type ReadRecipe } from './check-recipe.ts';
import { type Flag, readFlag, withValue } from './flags.ts';
import { memberOf } from './schema-fields.ts';
import { readYaml } from './yaml-source.ts';

export interface ReadRequest {
  readonly text: string;
  /** The name issues carry. */
  readonly file: string;
  /** `path=value`, as given after each `--set`; the last of equal paths counts. */
  readonly flags: readonly string[];
}

/** Reads a recipe file with the flags over it. All problems are found at once, in the order in which they stand. */
export function readRecipe({ text, file, flags }: ReadRequest): Checked<ReadRecipe> {
  const source = readYaml({ text, file });
  const flagged = flags.map(readFlag);
  const wrong = flagged.filter((flag): flag is Issue => 'code' in flag);
  const start = { file, line: 1, column: 1 };
  if (!source.readable) return { ok: false, issues: inOrder([...source.issues, ...wrong]) };
  if (typeof source.value !== 'object' || source.value === null || Array.isArray(source.value)) {
    const message = source.value === null ? 'The recipe is empty.' : 'The recipe is no mapping of keys to values.';
    const expected = 'name, base and data, each on a line of its own with a colon behind it';
    const issue: Issue = { code: 'wrong-type', severity: 'error', path: [], place: start, message, expected };
    return { ok: false, issues: inOrder([issue, ...source.issues, ...wrong]) };
  }

  let value: Json = source.value;
  const { keys, values } = source;
  const origins = new Map<string, 'recipe' | 'flag'>(originsOf(value, 'recipe'));
  for (const flag of flagged.filter((flag): flag is Flag => 'value' in flag)) {
    const method = memberOf(value, 'method');
    if (typeof method === 'string' && flag.path[0] === 'method' && flag.path.length > 1) {
      // `--set method.beta=0.2` over `method: dpo` is `method: {name: dpo, beta: 0.2}`.
      value = withValue(value, ['method'], { name: method });
      origins.set('method.name', origins.get('method') ?? 'recipe');
    }
    value = withValue(value, flag.path, flag.value);
    for (const map of [keys, values, origins]) forget(map, formatPath(flag.path));
    for (const [path, origin] of originsOf(flag.value, 'flag', flag.path)) origins.set(path, origin);
    values.set(formatPath(flag.path), flag.place);
    // Sections that only the flag has made stand where it does.
    for (let length = flag.path.length; length > 0; length--) {
      const section = formatPath(flag.path.slice(0, length));
      if (!keys.has(section) && !values.has(section)) keys.set(section, flag.place);
      if (!origins.has(section)) origins.set(section, 'flag');
    }
    keys.set(formatPath(flag.path), flag.place);
  }
  const checked = checkRecipe({ value, origins, places: { keys, values } });
  // What could not be read is not also reported as missing or of a wrong type.
  const unread = new Set(source.issues.filter(({ code }) => code === 'yaml-alias').map(({ path }) => formatPath(path)));
  const found = checked.ok ? [] : checked.issues.filter(({ path }) => !unread.has(formatPath(path)));
  const issues = [...source.issues, ...wrong, ...found];
  return checked.ok && issues.length === 0 ? checked : { ok: false, issues: inOrder(issues) };
}

/** What a flag replaces is gone with all that stood inside it. */
function forget(map: Map<string, unknown>, path: string): void {
  for (const key of [...map.keys()])
    if (key === path || key.startsWith(`${path}.`) || key.startsWith(`${path}[`)) map.delete(key);
}
