import type { SchemaNode } from '../../src/recipe/index.ts';

/** One field of a document, as a reference shows it. */
export interface Field {
  /** `data.sources[].from` */
  readonly path: string;
  readonly type: string;
  readonly required: boolean;
  readonly description: string | undefined;
  readonly default: unknown;
  /** The alternative it belongs to, such as `kind: lora`. */
  readonly when: string | undefined;
}

/** All fields of a schema, sections included, in the order in which they stand. */
export function fieldsOf(root: SchemaNode): readonly Field[] {
  return sectionFields(root, { path: '', when: undefined });
}

interface At {
  readonly path: string;
  readonly when: string | undefined;
}

function sectionFields(node: SchemaNode, at: At): readonly Field[] {
  const branches = node.anyOf ?? node.oneOf;
  if (branches) return branchFields(branches, at);
  if (node.items && !isTuple(node.items)) return sectionFields(node.items, { ...at, path: `${at.path}[]` });
  if (node.additionalProperties && typeof node.additionalProperties === 'object' && !node.properties)
    return sectionFields(node.additionalProperties, { ...at, path: `${at.path}.*` });
  return Object.entries(node.properties ?? {}).flatMap(([key, member]) => {
    const path = at.path === '' ? key : `${at.path}.${key}`;
    const field: Field = {
      path,
      type: typeText(member),
      required: node.required?.includes(key) ?? false,
      description: member.description,
      default: member.default,
      // The word that tells alternatives apart says so by itself.
      when: member.const === undefined ? at.when : undefined,
    };
    return [field, ...sectionFields(member, { ...at, path })];
  });
}

/** Fields that all alternatives share come first and once; then those of each. */
function branchFields(branches: readonly SchemaNode[], at: At): readonly Field[] {
  const sections = branches.filter((branch) => fieldsOf(branch).length > 0);
  const lists = sections.map((branch) => sectionFields(branch, { ...at, when: tagOf(branch) ?? at.when }));
  const key = ({ path, type, description }: Field): string => JSON.stringify([path, type, description]);
  const [first = []] = lists;
  const shared = new Set(
    lists.length > 1 ? first.map(key).filter((k) => lists.every((list) => list.some((f) => key(f) === k))) : [],
  );
  return [
    ...first.filter((field) => shared.has(key(field))).map((field) => ({ ...field, when: at.when })),
    ...lists.flatMap((list) => list.filter((field) => !shared.has(key(field)))),
  ];
}

/** `kind: lora` for a section that is told apart by a constant; the document's own `schema` tells nothing apart. */
function tagOf({ properties }: SchemaNode): string | undefined {
  const tag = Object.entries(properties ?? {}).find(([key, member]) => member.const !== undefined && key !== 'schema');
  return tag && `${tag[0]}: ${String(tag[1].const)}`;
}

/** What a value may be, in a few words. */
export function typeText(node: SchemaNode): string {
  const branches = node.anyOf ?? node.oneOf;
  if (branches) return [...new Set(branches.map(typeText))].join(' or ');
  if (node.$ref || node.allOf) return 'anything';
  if (node.const !== undefined) return `\`${String(node.const)}\``;
  if (node.enum) return node.enum.map((word) => `\`${word}\``).join(', ');
  if (typeof node.type === 'object') return node.type.map((type) => typeText({ ...node, type })).join(' or ');
  const unit = node.unit ? ` of ${node.unit}` : '';
  switch (node.type) {
    case 'integer':
      return `whole number${unit}${range(node)}`;
    case 'number':
      return `number${unit}${range(node)}`;
    case 'string':
      return 'text';
    case 'array':
      if (isTuple(node.items)) return `list of ${node.items.length}: ${node.items.map(typeText).join(', ')}`;
      return node.items ? `list of ${typeText(node.items)}` : 'list';
    case 'object':
      return node.properties ? 'section' : mapText(node);
    case 'boolean':
      return 'true or false';
    case 'null':
      return 'null';
    default:
      return 'anything';
  }
}

function mapText({ additionalProperties }: SchemaNode): string {
  if (typeof additionalProperties !== 'object') return 'section';
  return `${typeText(additionalProperties)}, by name`;
}

function range({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: SchemaNode): string {
  const bounded = (value: number | undefined): value is number =>
    value !== undefined && Number.MAX_SAFE_INTEGER > Math.abs(value);
  const parts = [
    bounded(exclusiveMinimum) && `above ${exclusiveMinimum}`,
    bounded(minimum) && `from ${minimum}`,
    bounded(exclusiveMaximum) && `below ${exclusiveMaximum}`,
    bounded(maximum) && `to ${maximum}`,
  ].filter(Boolean);
  return parts.length > 0 ? ` ${parts.join(' ')}` : '';
}

function isTuple(items: SchemaNode['items']): items is readonly SchemaNode[] {
  return Array.isArray(items);
}
