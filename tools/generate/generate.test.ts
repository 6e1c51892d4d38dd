import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { SchemaNode } from '../../src/recipe/index.ts';
import { documents } from './documents.ts';
import { fieldsOf } from './fields.ts';
import { generatedFiles } from './files.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

test.each([...generatedFiles()])('%s is as the schemas say', (path, text) => {
  expect(readFileSync(`${root}${path}`, 'utf8')).toBe(text);
});

describe.each(documents)('$name', ({ schema }) => {
  test('describes itself and every field', () => {
    expect(schema.description).toMatch(/\.|:/);
    const fields = fieldsOf(schema);
    expect(fields.length).toBeGreaterThan(0);
    expect(fields.filter(({ description }) => !description?.trim()).map(({ path }) => path)).toEqual([]);
  });

  test('refuses keys it does not know, in every section', () => {
    expect(openSections(schema, '')).toEqual([]);
  });
});

test('each recipe field says the same of its default in the editor as the schema does', () => {
  const editor = JSON.parse(generatedFiles().get('schema/recipe.schema.json') ?? '{}') as SchemaNode;
  const rank = editor.properties?.adapter?.oneOf?.[0]?.properties?.rank;
  expect(rank?.default).toBe(16);
  expect(rank?.description).toBe('Width of the adapter.\n\nDefault: 16.');
  const length = editor.properties?.render?.properties?.lengthTokens;
  expect(length?.description).toMatch(/Unit: tokens\.$/);
  expect(length).not.toHaveProperty('unit');
});

/** Sections with named fields that let other keys pass. */
function openSections(node: SchemaNode, path: string): readonly string[] {
  const branches = [...(node.anyOf ?? []), ...(node.oneOf ?? [])].flatMap((branch) => openSections(branch, path));
  const items = Array.isArray(node.items) ? node.items : node.items ? [node.items as SchemaNode] : [];
  const inside = [
    ...items.flatMap((item) => openSections(item, `${path}[]`)),
    ...Object.entries(node.properties ?? {}).flatMap(([key, member]) => openSections(member, `${path}.${key}`)),
  ];
  const open = node.properties && node.additionalProperties !== false ? [path] : [];
  return [...open, ...branches, ...inside];
}
