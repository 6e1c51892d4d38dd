import { expect, test } from 'vitest';
import { recipeJsonSchema } from './json-schema.ts';
import { fieldsAt } from './schema-fields.ts';
import { swiftFixes, swiftKeys } from './swift-keys.ts';

const schema = recipeJsonSchema();
/** What a path runs through where lists and kinds are concerned. */
const example = { data: { sources: [{ from: 'rows.jsonl' }] }, adapter: { kind: 'lora' } };

test.each(Object.entries(swiftKeys))('%s of ms-swift is %s, which a recipe has', (_, path) => {
  const keys = path.split(/[.[\]]+/).map((key) => (/^\d+$/.test(key) ? Number(key) : key));
  expect(fieldsAt(schema, keys, example)).not.toEqual([]);
});

test('no argument is told in two ways, nor sent to a key that is not there', () => {
  expect(Object.keys(swiftFixes).filter((key) => key in swiftKeys)).toEqual([]);
  for (const [, path = ''] of Object.values(swiftFixes).map((fix) => /^Write ([\w.]+)/.exec(fix) ?? []))
    if (path !== '') expect(fieldsAt(schema, path.split('.'), example), path).not.toEqual([]);
});
