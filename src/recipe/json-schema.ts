import { z } from 'zod';
import { methods } from '../methods/index.ts';
import type { Json } from '../schema/common.ts';
import { recipe } from '../schema/recipe.ts';

/** The parts of JSON Schema (draft 7) that our documents use, with the field metadata of `FieldMeta` beside them. */
export interface SchemaNode {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | SchemaNode;
  readonly items?: SchemaNode | readonly SchemaNode[];
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
  readonly allOf?: readonly SchemaNode[];
  readonly enum?: readonly (string | number)[];
  readonly const?: unknown;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly minItems?: number;
  readonly minLength?: number;
  readonly unit?: string;
  readonly examples?: readonly Json[];
  readonly tier?: string;
  readonly $ref?: string;
  readonly definitions?: Readonly<Record<string, SchemaNode>>;
}

/** JSON Schema of any of our documents. `input`: as a person may write it, defaults left out; `output`: as it is stored. */
export function documentJsonSchema(schema: z.ZodType, io: 'input' | 'output'): SchemaNode {
  return z.toJSONSchema(schema, { io, target: 'draft-7' }) as SchemaNode;
}

let made: SchemaNode | undefined;

/** JSON Schema of a recipe, with each method's own parameters beside its name. */
export function recipeJsonSchema(): SchemaNode {
  made ??= withMethods(documentJsonSchema(recipe, 'input'));
  return made;
}

function withMethods(schema: SchemaNode): SchemaNode {
  const { anyOf: _, ...head } = schema.properties?.method ?? {};
  const names = {
    type: 'string',
    enum: methods.map(({ name }) => name),
    description: methods.map(({ name, summary }) => `${name}: ${summary}`).join('\n'),
  };
  const variants = methods.map(({ name, summary, parameters }): SchemaNode => {
    const own = documentJsonSchema(parameters, 'input');
    return {
      type: 'object',
      description: summary,
      properties: { name: { type: 'string', const: name, description: summary }, ...own.properties },
      // A section that names no method is of the default one, as an absent section is (`check-recipe.ts`).
      required: [...(name === head.default ? [] : ['name']), ...(own.required ?? [])],
      additionalProperties: false,
    };
  });
  const adapter = schema.properties?.adapter ?? {};
  // The same goes for an adapter without a kind.
  const kinds = adapter.oneOf?.map((kind) => ({
    ...kind,
    required: kind.required?.filter((key) => key !== 'kind') ?? [],
  }));
  return {
    ...schema,
    properties: {
      ...schema.properties,
      method: { ...head, anyOf: [names, ...variants] },
      adapter: { ...adapter, ...(kinds && { oneOf: kinds }) },
    },
  };
}
