import type { RandomStream } from '../../core/random.ts';
import { shuffled } from '../../core/random.ts';
import type { Json } from '../../schema/common.ts';
import type { SchemaNode } from '../json-schema.ts';
import { branchesOf } from '../schema-fields.ts';

/** A value that a schema allows, any of them; for tests that hold for every recipe. Sections leave most keys out. */
export function randomValue(node: SchemaNode, random: RandomStream): Json {
  if (node.examples) return pick(node.examples, random);
  const branches = branchesOf(node);
  if (branches.length > 1) return randomValue(pick(branches, random), random);
  if (node.const !== undefined) return node.const as Json;
  if (node.enum) return pick(node.enum, random);
  switch (node.type) {
    case 'integer':
      return Math.floor(between(node, random)) + (node.minimum ?? 0);
    case 'number':
      return Number(between(node, random).toPrecision(3)) || 0.5;
    case 'string':
      return pick(['a', 'market-brief', 'x.jsonl', 'b/c'], random);
    case 'boolean':
      return random.uniform() < 0.5;
    case 'array':
      return randomList(node, random);
    case 'object':
      return randomSection(node, random);
    default:
      return pick([null, true, 3, 'text', { any: [1] }], random);
  }
}

function randomSection({ properties = {}, required = [] }: SchemaNode, random: RandomStream): Json {
  const keys = Object.keys(properties).filter((key) => required.includes(key) || random.uniform() < 0.4);
  return Object.fromEntries(
    shuffled(keys, random.next()).map((key) => [key, randomValue(properties[key] ?? {}, random)]),
  );
}

function randomList({ items, minItems = 0 }: SchemaNode, random: RandomStream): Json {
  if (Array.isArray(items)) return items.map((item: SchemaNode) => randomValue(item, random));
  return Array.from({ length: minItems + random.below(3) }, () => randomValue((items ?? {}) as SchemaNode, random));
}

function between(node: SchemaNode, random: RandomStream): number {
  const low = node.type === 'integer' ? 0 : (node.exclusiveMinimum ?? node.minimum ?? 0);
  const high = Math.min(node.exclusiveMaximum ?? node.maximum ?? 100, low + 100);
  return low + (high - low) * (0.01 + 0.98 * random.uniform());
}

function pick<T>(items: readonly T[], random: RandomStream): T {
  return items[random.below(items.length)] as T;
}
