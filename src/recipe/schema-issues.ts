import type { z } from 'zod';
import type { Issue } from '../core/issue.ts';
import { nearestName } from '../core/nearest.ts';
import type { SchemaNode } from './json-schema.ts';
import { type Path, type Places, placeOf } from './places.ts';
import {
  alternativeWith,
  expectation,
  fieldsAt,
  fitsType,
  knownKeys,
  nodesAt,
  pathsEndingIn,
  valueAt,
  wordFix,
} from './schema-fields.ts';

/** A document that was checked: its schema, what was given, and where that stands. */
export interface Checking {
  readonly schema: SchemaNode;
  readonly value: unknown;
  readonly places: Places;
}

type ZodIssue = z.core.$ZodIssue;

/** Turns what zod found into issues a person can act on: where it stands, what was expected, and the nearest right word. */
export function schemaIssues(checking: Checking, found: readonly ZodIssue[]): readonly Issue[] {
  return found.flatMap((issue) => issuesOf(checking, issue, []));
}

function issuesOf(checking: Checking, issue: ZodIssue, around: Path): readonly Issue[] {
  const path = [...around, ...issue.path.map(asKey)];
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(checking, [...path, key]));
  if (issue.code === 'invalid_union') {
    const branch = meantBranch(issue.errors, valueAt(checking.value, path));
    if (branch) return branch.flatMap((error) => issuesOf(checking, error, path));
  }
  const words = issue.code === 'invalid_format' ? issue.message : undefined;
  return [wrongValue(checking, path, words)];
}

/** The alternative a value was meant as: the one, if any, whose keys it has most of. */
function meantBranch(branches: readonly (readonly ZodIssue[])[], given: unknown): readonly ZodIssue[] | undefined {
  const inside = branches.filter((errors) => errors.some(({ path }) => path.length > 0));
  const strangeness = (errors: readonly ZodIssue[]): number =>
    errors.filter((error) => error.code === 'unrecognized_keys' || valueAt(given, error.path.map(asKey)) === undefined)
      .length;
  const least = Math.min(...inside.map(strangeness));
  const nearest = inside.filter((errors) => strangeness(errors) === least);
  return nearest.length === 1 ? nearest[0] : undefined;
}

const asKey = (key: PropertyKey): string | number => (typeof key === 'number' ? key : String(key));

function unknownKey({ schema, value, places }: Checking, path: Path): Issue {
  const section = path.slice(0, -1);
  const key = String(path.at(-1));
  const known = knownKeys(nodesAt(schema, section, value));
  const near = nearestName(key, known);
  const kind = alternativeWith(nodesAt(schema, section, undefined), key);
  const others = pathsEndingIn(schema, key).slice(0, 3);
  const fix =
    (near && `Write ${near}.`) ??
    (kind && `It belongs to ${kind}.`) ??
    (others.length > 0 ? `It stands at ${others.join(' or ')}.` : 'Remove it.');
  return {
    code: 'unknown-key',
    severity: 'error',
    path,
    ...placed(places, path, 'key'),
    message: 'There is no such key.',
    expected: `one of ${known.join(', ')}`,
    fix,
  };
}

function wrongValue({ schema, value, places }: Checking, path: Path, words: string | undefined): Issue {
  const nodes = nodesAt(schema, path, value);
  const given = valueAt(value, path);
  const expected = words ?? expectation(nodes);
  const head = { severity: 'error', path, ...placed(places, path, 'value'), expected } as const;
  if (given === undefined) {
    const description = fieldsAt(schema, path, value)[0]?.description;
    return { ...head, code: 'missing-key', message: 'It is missing.', ...(description && { fix: description }) };
  }
  const fix = wordFix(nodes, given);
  const code = fitsType(nodes, given) ? 'wrong-value' : 'wrong-type';
  return { ...head, code, message: `Found ${shown(given)}.`, ...(fix && { fix }) };
}

/** `{ place }` where there is one. */
export function placed(places: Places, path: Path, part: 'key' | 'value'): Pick<Issue, 'place'> {
  const place = placeOf(places, path, part);
  return place ? { place } : {};
}

function shown(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object') return 'a section';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
