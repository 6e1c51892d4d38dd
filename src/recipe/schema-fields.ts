import { nearestName } from '../core/nearest.ts';
import type { SchemaNode } from './json-schema.ts';
import type { Path } from './places.ts';
import { isStep, stepCalled } from './step-words.ts';

/** The schema of the value at a path: one node, or one for each alternative that `value` does not rule out on the way. */
export function fieldsAt(root: SchemaNode, path: Path, value: unknown): readonly SchemaNode[] {
  let fields: readonly SchemaNode[] = [root];
  let inner = value;
  for (const key of path) {
    const sections = fields.flatMap((field) => alternatives(field, inner));
    fields = sections.flatMap((section) => memberNode(section, key) ?? []);
    inner = memberOf(inner, key);
  }
  return fields;
}

/** As `fieldsAt`, with each alternative of the value itself on its own. */
export function nodesAt(root: SchemaNode, path: Path, value: unknown): readonly SchemaNode[] {
  const inner = valueAt(value, path);
  return fieldsAt(root, path, value).flatMap((field) => alternatives(field, inner));
}

/** The keys a section knows, by the alternatives that its value does not rule out. */
export function knownKeys(nodes: readonly SchemaNode[]): readonly string[] {
  return [...new Set(nodes.flatMap((node) => Object.keys(node.properties ?? {})))];
}

/** Every path of a section's keys that ends in a key like `name`; for keys that stand in the wrong section. */
export function pathsEndingIn(root: SchemaNode, name: string): readonly string[] {
  const found: string[] = [];
  const walk = (node: SchemaNode, path: readonly string[]): void => {
    for (const branch of alternatives(node, undefined))
      for (const [key, member] of Object.entries(branch.properties ?? {})) {
        const inside = [...path, key];
        if (normalise(key) === normalise(name)) found.push(inside.join('.'));
        walk(member, inside);
      }
  };
  walk(root, []);
  return [...new Set(found)];
}

/** The alternative (such as `kind: lora`) of a section in which a key is known, when it is not the one chosen. */
export function alternativeWith(nodes: readonly SchemaNode[], key: string): string | undefined {
  for (const node of nodes) {
    if (!node.properties || !(key in node.properties)) continue;
    const [tag] = tagsOf(node);
    if (tag) return tag.join(': ');
  }
  return undefined;
}

/** All alternatives at a node, whatever its value. */
export function branchesOf(node: SchemaNode): readonly SchemaNode[] {
  const branches = node.anyOf ?? node.oneOf;
  return branches ? branches.flatMap(branchesOf) : [node];
}

/** `a number above 0, at most 1`: what a value may be, in words. */
export function expectation(nodes: readonly SchemaNode[]): string {
  const words = nodes.flatMap(wordsOf);
  const others = nodes.filter((node) => wordsOf(node).length === 0).map(describe);
  const choice = words.length > 1 ? [`one of ${words.join(', ')}`] : words;
  return [...new Set([...choice, ...others])].join(', or ');
}

/** `Write "cosine".` where one of the allowed words is near, or where only quotes are wrong. */
export function wordFix(nodes: readonly SchemaNode[], value: unknown): string | undefined {
  const words = nodes.flatMap(wordsOf);
  const types = nodes.map((node) => node.type);
  if (typeof value === 'string') {
    const step = words.length > 0 && words.every(isStep) ? stepCalled(value) : undefined;
    if (step !== undefined) return words.includes(step) ? `Write ${step}.` : `Write { step: ${step}, ... }.`;
    const near = nearestName(value, words);
    if (near !== undefined) return `Write ${near}.`;
    const number = value.trim() === '' ? Number.NaN : Number(value.replaceAll(/[_,](?=\d{3})/g, ''));
    if (Number.isFinite(number) && (types.includes('number') || types.includes('integer'))) return `Write ${number}.`;
    if (types.includes('array')) return `Write [${listItem(nodes, value)}].`;
    const tag = nodes.flatMap(tagsOf).find(([, word]) => word === value);
    if (tag) return `Write {${tag.join(': ')}}.`;
    const section = types.every((type) => type === 'object') && asSection(nodes, value);
    if (section) return `Write ${section}.`;
  }
  if ((typeof value === 'number' || typeof value === 'boolean') && types.includes('string')) return `Write "${value}".`;
  return undefined;
}

/** What stands for a text in a list: the text, or where a list takes sections alone, one with it in its first required key. */
function listItem(nodes: readonly SchemaNode[], value: string): string {
  const items = nodes.flatMap(({ items }) => (items === undefined || isTuple(items) ? [] : branchesOf(items)));
  return items.some(({ type }) => type !== 'object') ? value : (asSection(items, value) ?? value);
}

/** `{ from: rows.jsonl }` for `rows.jsonl`, where a section has just one key that must be given. */
function asSection(nodes: readonly SchemaNode[], value: string): string | undefined {
  const required = nodes.flatMap((node) => node.required ?? []);
  return required.length === 1 ? `{ ${required[0]}: ${value} }` : undefined;
}

/** The words a value is chosen from, where it is. */
function wordsOf(node: SchemaNode): readonly string[] {
  return (node.enum ?? (node.const === undefined ? [] : [node.const])).map(String);
}

/** `['kind', 'lora']`: the keys of a section that always hold the same word, which tells alternatives apart. */
function tagsOf({ properties = {} }: SchemaNode): readonly (readonly [string, string])[] {
  return Object.entries(properties).flatMap(([key, { const: word }]) =>
    word === undefined ? [] : [[key, String(word)]],
  );
}

function describe(node: SchemaNode): string {
  switch (node.type) {
    case 'integer':
      return `a whole number${node.unit ? ` of ${node.unit}` : ''}${range(node)}`;
    case 'number':
      return `a number${node.unit ? ` of ${node.unit}` : ''}${range(node)}`;
    case 'string':
      return node.minLength ? 'text that is not empty' : 'text';
    case 'boolean':
      return 'true or false';
    case 'null':
      return 'nothing';
    case 'array':
      return listOf(node);
    case 'object': {
      const tags = new Map(tagsOf(node));
      const keys = Object.keys(node.properties ?? {}).map((key) => (tags.has(key) ? `${key}: ${tags.get(key)}` : key));
      return keys.length > 0 ? `a section with ${keys.join(', ')}` : 'a section';
    }
    default:
      return 'a value';
  }
}

function listOf(node: SchemaNode): string {
  const { items } = node;
  if (isTuple(items)) return `a list of ${items.length}, each ${expectation(items)}`;
  const inside = items === undefined ? [] : branchesOf(items);
  const least = node.minItems ? ` of ${node.minItems} or more` : '';
  return inside.length > 0 ? `a list${least}, each ${expectation(inside)}` : `a list${least}`;
}

function range(node: SchemaNode): string {
  const parts: string[] = [];
  if (node.exclusiveMinimum !== undefined) parts.push(`above ${node.exclusiveMinimum}`);
  if (node.minimum !== undefined && node.minimum > Number.MIN_SAFE_INTEGER) parts.push(`from ${node.minimum}`);
  if (node.exclusiveMaximum !== undefined) parts.push(`below ${node.exclusiveMaximum}`);
  if (node.maximum !== undefined && node.maximum < Number.MAX_SAFE_INTEGER) parts.push(`to ${node.maximum}`);
  return parts.length > 0 ? ` ${parts.join(' ')}` : '';
}

/** Branches of a node that fit the value's tag (`kind`, `name`) or, failing that, its JSON type; all when none does. */
function alternatives(node: SchemaNode, value: unknown): readonly SchemaNode[] {
  const branches = branchesOf(node);
  if (branches.length < 2 || value === undefined) return branches;
  const tagged = branches.filter((branch) => {
    const tags = tagsOf(branch);
    return tags.length > 0 && tags.every(([tag, word]) => memberOf(value, tag) === word);
  });
  if (tagged.length > 0) return tagged;
  const typed = branches.filter(({ type }) => type === typeOf(value));
  return typed.length > 0 ? typed : branches;
}

function memberNode(node: SchemaNode, key: string | number): SchemaNode | undefined {
  if (typeof key === 'string')
    return node.properties && Object.hasOwn(node.properties, key) ? node.properties[key] : undefined;
  return isTuple(node.items) ? node.items[key] : node.items;
}

function isTuple(items: SchemaNode['items']): items is readonly SchemaNode[] {
  return Array.isArray(items);
}

/** A member of a plain value; undefined where there is none. */
export function memberOf(value: unknown, key: string | number): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Record<string | number, unknown>)[key];
}

/** What stands at a path of a plain value; undefined where nothing does. */
export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((inner, key) => memberOf(inner, key), value);
}

/** Whether a value is of the JSON type that one of these nodes asks for. */
export function fitsType(nodes: readonly SchemaNode[], value: unknown): boolean {
  const type = typeOf(value);
  return nodes.some((node) => node.type === type || (type === 'number' && node.type === 'integer'));
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return value === null ? 'null' : typeof value;
}

function normalise(name: string): string {
  return name.toLowerCase().replaceAll(/[-_\s]/g, '');
}
