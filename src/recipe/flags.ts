import { formatPath, type Issue } from '../core/issue.ts';
import type { Json } from '../schema/common.ts';
import type { Path, Place } from './places.ts';
import { memberOf } from './schema-fields.ts';
import { readYamlValue } from './yaml-source.ts';

export interface Flag {
  readonly path: Path;
  readonly value: Json;
  /** Where its value stands: the file `--set`, the line its number among the flags. */
  readonly place: Place;
}

/** Reads `train.epochs=2` or `data.sources[0].limit=100`; what stands after the first `=` is one YAML value. */
export function readFlag(text: string, index: number): Flag | Issue {
  const at = (column: number): Place => ({ file: '--set', line: index + 1, column });
  const issue = (message: string, column = 1): Issue => ({
    code: 'wrong-flag',
    severity: 'error',
    path: [],
    place: at(column),
    message,
    expected: 'path=value, such as train.epochs=2',
  });
  const equals = text.indexOf('=');
  if (equals < 1) return issue(`"${text}" sets nothing.`);
  const name = text.slice(0, equals).trim();
  const path = readPath(name);
  if (!path) return issue(`"${name}" is no path.`);
  const value = readYamlValue(text.slice(equals + 1));
  if ('message' in value) return issue(`${formatPath(path)}: ${value.message}`, equals + 2);
  return { path, value: value.value, place: at(equals + 2) };
}

/** A copy of `root` with one value set; sections on the way are made, and a scalar in the way is replaced. */
export function withValue(root: Json, path: Path, value: Json): Json {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (typeof key === 'number') {
    const list = Array.isArray(root) ? root.slice() : [];
    list[key] = withValue((list[key] ?? null) as Json, rest, value);
    // A gap would be a hole, which is no JSON.
    return Array.from(list, (item) => item ?? null);
  }
  const inner = withValue((memberOf(root, key) ?? null) as Json, rest, value);
  const entries = typeof root === 'object' && root !== null && !Array.isArray(root) ? Object.entries(root) : [];
  return Object.fromEntries(new Map(entries).set(key, inner));
}

function readPath(text: string): Path | undefined {
  const path: (string | number)[] = [];
  const pattern = /\.?([^.[\]=\s]+)|\[(\d{1,4})\]/gy;
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    const [whole, name, index] = match;
    path.push(index === undefined ? (/^\d{1,4}$/.test(name ?? '') ? Number(name) : (name ?? '')) : Number(index));
    end = match.index + whole.length;
  }
  return end === text.length && typeof path[0] === 'string' ? path : undefined;
}
