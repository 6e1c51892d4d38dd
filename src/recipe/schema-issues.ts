import type { z } from 'zod';
import { formatPath, type Issue } from '../core/issue.ts';
import { nearestName } from '../core/nearest.ts';
import type { SchemaNode } from './json-schema.ts';
import { type Path, type Places, placeOf } from './places.ts';
import {
  alternativeWith,
  expectation,
  fieldsAt,
  fitsType,
  knownKeys,
  memberOf,
  nodesAt,
  pathsEndingIn,
  valueAt,
  wordFix,
} from './schema-fields.ts';
import { swiftFixes, swiftKeys } from './swift-keys.ts';

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
  const given = valueAt(value, section);
  const free = known.filter((name) => memberOf(given, name) === undefined);
  const near = nearestName(key, free) ?? soleBeginning(key, free);
  const twin = nearestName(key, known);
  const kind = alternativeWith(nodesAt(schema, section, undefined), key);
  const others = pathsEndingIn(schema, key).slice(0, 3);
  const fix =
    swiftFix(key, section, value) ??
    (near && `Write ${near}.`) ??
    (kind && `It belongs to ${kind}.`) ??
    (others.length > 0
      ? `It stands at ${others.join(' or ')}.`
      : `Remove it${twin === undefined ? '' : `: ${twin} is set already`}.`);
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

/** The one known name that begins as this one does: `format` for `form`. */
function soleBeginning(key: string, known: readonly string[]): string | undefined {
  const found = key.length < 3 ? [] : known.filter((name) => name.startsWith(key));
  return found.length === 1 ? found[0] : undefined;
}

/** Where an argument of ms-swift stands; it may have been written in the right section already, or said twice. */
function swiftFix(key: string, section: Path, value: unknown): string | undefined {
  // What stands in a list, such as the steps, has names of its own.
  if (section.some((part) => typeof part === 'number')) return undefined;
  const name = key.toLowerCase().replaceAll('-', '_');
  const argument = [name, name.replace(/s$/, '')].find((known) => Object.hasOwn(swiftKeys, known));
  const path = argument && swiftKeys[argument];
  if (path === undefined) return Object.hasOwn(swiftFixes, name) ? swiftFixes[name] : undefined;
  if (valueAt(value, path.split('.')) !== undefined)
    return `It is ${path} here, which is set too: keep that one, and remove this.`;
  if (path === 'data.sources') return sourcesFix(valueAt(value, [...section, key]));
  const start = `${formatPath(section)}.`;
  return `Write ${path.startsWith(start) ? path.slice(start.length) : path}.`;
}

/** What `dataset` was given, as a recipe has it. */
function sourcesFix(given: unknown): string {
  if (memberOf(given, 'sources') !== undefined) return 'Write data.';
  const files = [given].flat().filter((file) => typeof file === 'string');
  const written = files.slice(0, 3).map((file) => `{ from: ${file} }`);
  if (written.length === 0) return 'Write data.sources.';
  return `Write data: { sources: [${written.join(', ')}${files.length > 3 ? ', ...' : ''}] }.`;
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
