import { recipeJsonSchema } from '../../src/recipe/index.ts';
import { documents } from './documents.ts';
import { editorSchema } from './editor-schema.ts';
import { fromSwiftPage } from './from-swift-page.ts';
import { documentReference, methodReference, recipeReference } from './reference.ts';
import { rowsPage } from './rows-page.ts';

/** Folders in which a file that is no longer generated is a leftover. */
export const generatedFolders: readonly { readonly folder: string; readonly owns: (name: string) => boolean }[] = [
  { folder: 'schema', owns: (name) => name.endsWith('.schema.json') },
];

/** Every generated file: its path from the root of the repository, and its text. */
export function generatedFiles(): ReadonlyMap<string, string> {
  return new Map([
    ...documents.map(({ name, schema }): [string, string] => [
      `schema/${name}.schema.json`,
      `${JSON.stringify(editorSchema(name, schema), null, 2)}\n`,
    ]),
    ['docs/reference/recipe.md', recipeReference(recipeJsonSchema())],
    ['docs/reference/documents.md', documentReference(documents)],
    ['docs/reference/methods.md', methodReference()],
    ['docs/concepts/rows.md', rowsPage()],
    ['docs/concepts/from-ms-swift.md', fromSwiftPage()],
  ]);
}
