import type { SchemaNode } from '../../src/recipe/index.ts';

type JsonSchema = { [keyword: string]: unknown };

/**
 * A schema as an editor shows it: the description of each field also tells its unit and default, since editors show
 * nothing else on hover; our own keywords are left out.
 */
export function editorSchema(name: string, schema: SchemaNode): JsonSchema {
  const { $schema, ...rest } = shownNode(schema) as { $schema?: unknown };
  return { $schema, title: name, ...rest };
}

function shownNode(node: SchemaNode): JsonSchema {
  const { label, unit, tier: _, group, placeholder, ...keywords } = node as SchemaNode & JsonSchema;
  const told = describe(node);
  return Object.fromEntries([
    ...(typeof label === 'string' ? [['title', label] as const] : []),
    ...Object.entries(keywords).flatMap(([keyword, value]): [string, unknown][] => {
      if (keyword === 'description') return [[keyword, told]];
      if (keyword === 'maximum' && value === Number.MAX_SAFE_INTEGER) return [];
      if (keyword === 'minimum' && value === Number.MIN_SAFE_INTEGER) return [];
      return [[keyword, shownKeyword(keyword, value)]];
    }),
  ]);
}

/** Keywords that hold schemas, by how they hold them. */
const one = new Set(['additionalProperties', 'propertyNames', 'additionalItems']);
const many = new Set(['anyOf', 'oneOf', 'allOf']);
const named = new Set(['properties', 'definitions']);

function shownKeyword(keyword: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (many.has(keyword) || (keyword === 'items' && Array.isArray(value)))
    return (value as readonly SchemaNode[]).map(shownNode);
  if (one.has(keyword) || keyword === 'items') return shownNode(value as SchemaNode);
  if (named.has(keyword))
    return Object.fromEntries(Object.entries(value).map(([name, node]) => [name, shownNode(node as SchemaNode)]));
  return value;
}

function describe({ description, unit, default: fallback }: SchemaNode): string | undefined {
  const section = typeof fallback === 'object' && fallback !== null && !Array.isArray(fallback);
  const parts = [
    unit && `Unit: ${unit}.`,
    fallback !== undefined && !section && `Default: ${JSON.stringify(fallback)}.`,
  ].filter(Boolean);
  return [description, parts.join(' ')].filter(Boolean).join('\n\n') || undefined;
}
