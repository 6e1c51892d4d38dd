import { z } from 'zod';
import { type Checked, formatPath, type Issue } from '../core/issue.ts';
import { nearestName } from '../core/nearest.ts';
import { methods } from '../methods/index.ts';
import { type Recipe, recipe as recipeSchema } from '../schema/recipe.ts';
import { learnIssues } from './checks/learn-checks.ts';
import { recipeJsonSchema } from './json-schema.ts';
import type { Origins, Path, Places } from './places.ts';
import { memberOf } from './schema-fields.ts';
import { type Checking, placed, schemaIssues } from './schema-issues.ts';

/** A recipe that keeps to its schema, and what is known of each of its values. */
export interface ReadRecipe {
  /** Defaults that depend on nothing are filled in; the method is a section with all its parameters. */
  readonly recipe: Recipe;
  readonly origins: Origins;
  readonly places: Places;
}

export interface CheckRequest {
  readonly value: unknown;
  /** All of `value` is the recipe's own when absent. */
  readonly origins?: Origins;
  readonly places?: Places;
}

const nowhere: Places = { keys: new Map(), values: new Map() };

/** Checks a recipe made anywhere (a file, a form, a program) against its schema, its method's parameters included. */
export function checkRecipe({ value, origins, places = nowhere }: CheckRequest): Checked<ReadRecipe> {
  const whole = withDefaultKinds(withoutEmptySections(value, recipeSchema));
  const parsed = recipeSchema.safeParse(whole);
  // The JSON Schema serves to say what would have been right; it is not made before something is wrong.
  const checking = (): Checking => ({ schema: recipeJsonSchema(), value: whole, places });
  const method = checkMethod(whole, checking);
  const found = (parsed.error?.issues ?? []).filter((issue) => issue.path[0] !== 'method');
  const issues = [
    ...(found.length > 0 ? schemaIssues(checking(), found) : []),
    ...(method.ok ? [] : method.issues),
    ...learnedIssues(whole, places),
  ];
  if (!parsed.success || !method.ok || issues.length > 0) return { ok: false, issues: inOrder(issues) };
  const given = new Map(origins ?? originsOf(value, 'recipe'));
  // A method by its name alone is a section with that name.
  const methodOrigin = given.get('method');
  if (typeof memberOf(whole, 'method') === 'string' && methodOrigin) given.set('method.name', methodOrigin);
  return {
    ok: true,
    value: { recipe: { ...parsed.data, method: method.value }, origins: given, places },
    warnings: [],
  };
}

/** Every path inside a value, the path itself included, given by one origin. */
export function originsOf<Origin extends 'recipe' | 'flag'>(
  value: unknown,
  origin: Origin,
  path: Path = [],
): Map<string, Origin> {
  const origins = new Map<string, Origin>([[formatPath(path), origin]]);
  if (typeof value === 'object' && value !== null)
    for (const [key, member] of Object.entries(value))
      for (const [inside] of originsOf(member, origin, [...path, Array.isArray(value) ? Number(key) : key]))
        origins.set(inside, origin);
  return origins;
}

/** By file, line and column; what has no place comes last. */
export function inOrder(issues: readonly Issue[]): readonly Issue[] {
  const rank = ({ place }: Issue): readonly [number, number, number] =>
    place ? [place.file === '--set' ? 1 : 0, place.line, place.column] : [2, 0, 0];
  return issues.toSorted((a, b) => {
    const [left, right] = [rank(a), rank(b)];
    return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
  });
}

/** `render.learn` is a text to the schema; which names it may hold, and how they go together, is known here. */
function learnedIssues(value: unknown, places: Places): readonly Issue[] {
  const learn = memberOf(memberOf(value, 'render'), 'learn');
  if (typeof learn !== 'string') return [];
  return learnIssues(learn).map((issue) => ({ ...issue, ...placed(places, issue.path, 'value') }));
}

type MethodSection = { name: string; [parameter: string]: unknown };

function checkMethod(value: unknown, checking: () => Checking): Checked<MethodSection> {
  const given = memberOf(value, 'method') ?? recipeSchema.shape.method.def.defaultValue;
  const name = typeof given === 'string' ? given : memberOf(given, 'name');
  const method = methods.find((candidate) => candidate.name === name);
  if (!method) {
    const path = typeof given === 'object' && given !== null && !Array.isArray(given) ? ['method', 'name'] : ['method'];
    const names = methods.map((candidate) => candidate.name);
    const near = typeof name === 'string' ? nearestName(name, names) : undefined;
    const issue: Issue = {
      code: 'unknown-method',
      severity: 'error',
      path,
      ...placed(checking().places, path, 'value'),
      message: typeof name === 'string' ? `There is no method "${name}".` : 'It names no method.',
      expected: `one of ${names.join(', ')}`,
      ...(near !== undefined && { fix: `Write ${near}.` }),
    };
    return { ok: false, issues: [issue] };
  }
  const { name: _, ...parameters } = typeof given === 'string' ? { name: given } : (given as MethodSection);
  const parsed = method.parameters.safeParse(parameters);
  if (parsed.success) return { ok: true, value: { name: method.name, ...(parsed.data as object) }, warnings: [] };
  const found = parsed.error.issues.map((issue) => ({ ...issue, path: ['method', ...issue.path] }));
  return { ok: false, issues: schemaIssues(checking(), found) };
}

type Section = { readonly [key: string]: unknown };

function isSection(value: unknown): value is Section {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `train:` with nothing under it is a section left to its defaults, as if the line were not there. */
function withoutEmptySections(value: unknown, schema: unknown): unknown {
  if (!isSection(value) || !(schema instanceof z.ZodObject)) return value;
  const shape: Readonly<Record<string, unknown>> = schema.shape;
  const entries = Object.entries(value).flatMap(([key, member]): [string, unknown][] => {
    const field = Object.hasOwn(shape, key) ? shape[key] : undefined;
    if (!(field instanceof z.ZodPrefault)) return [[key, withoutEmptySections(member, field)]];
    return member === null ? [] : [[key, withoutEmptySections(member, field.unwrap())]];
  });
  return Object.fromEntries(entries);
}

/** A method or adapter section that names no kind is of the kind that stands when the section is absent. */
function withDefaultKinds(value: unknown): unknown {
  if (!isSection(value)) return value;
  const { adapter, method } = value;
  return {
    ...value,
    ...(isSection(adapter) && { adapter: { ...recipeSchema.shape.adapter.def.defaultValue, ...adapter } }),
    ...(isSection(method) && { method: { name: recipeSchema.shape.method.def.defaultValue, ...method } }),
  };
}
