import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findBreaches, formatBreach } from './boundaries.ts';

/** The breaches of a project of these files, each as `file:line imports`. */
function breachesOf(files: Record<string, string>): readonly string[] {
  return breachTexts(files).map((text) => text.split('\n')[0] ?? '');
}

function breachTexts(files: Record<string, string>): readonly string[] {
  const root = mkdtempSync(join(tmpdir(), 'martlet-boundaries-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  cpSync('package.json', join(root, 'package.json'));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  return findBreaches(root).map(formatBreach);
}

const from = (path: string): string => `import { x } from '${path}';\nexport const y = x;\n`;

test.each([
  ['a stage never imports a stage', 'src/train/a.ts', '../eval/b.ts'],
  ['a stage never imports a surface', 'src/train/a.ts', '../cli/b.ts'],
  ['a stage never imports the pipeline', 'src/data/a.ts', '../pipeline.ts'],
  ['tier 2 never imports a stage', 'src/store/a.ts', '../serve/b.ts'],
  ['tier 1 never imports tier 2', 'src/render/a.ts', '../models/b.ts'],
  ['tier 1 folders never import one another', 'src/grounding/a.ts', '../render/b.ts'],
  ['tier 0 never imports tier 1', 'src/schema/a.ts', '../methods/b.ts'],
  ['tier 0 never imports Node', 'src/core/a.ts', 'node:fs'],
  ['tier 1 never imports Node, under its old name too', 'src/recipe/a.ts', 'fs'],
  ['tier 1 never imports a package that a browser cannot run', 'src/client/a.ts', 'undici'],
  ['spec holds types', 'src/spec/a.ts', '../core/b.ts'],
  ['a surface reaches stages through the pipeline', 'src/cli/a.ts', '../train/b.ts'],
  ['surfaces never import each other', 'src/server/a.ts', '../cli/b.ts'],
  ['shipped code never imports a package that is not shipped', 'src/serve/a.ts', 'openai'],
  ['shipped code never imports what is not shipped', 'src/data/a.ts', '../../tools/b.ts'],
  ['a folder outside the table', 'src/helpers/a.ts', '../core/b.ts'],
])('%s', (_, file, path) => {
  expect(breachesOf({ [file]: from(path) })).toHaveLength(1);
});

test.each([
  ['recipe imports methods', 'src/recipe/a.ts', '../methods/b.ts'],
  ['tier 2 folders import one another', 'src/engine/a.ts', '../models/b.ts'],
  ['a stage imports everything below', 'src/train/a.ts', '../engine/b.ts'],
  ['the pipeline imports stages', 'src/pipeline.ts', './train/b.ts'],
  ['a surface imports the pipeline', 'src/cli/a.ts', '../pipeline.ts'],
  ['a stage imports a shipped package', 'src/serve/a.ts', 'hono/streaming'],
  ['tier 0 imports what a browser runs', 'src/core/a.ts', '@noble/hashes/sha2.js'],
  ['a test imports Node, any package and testing', 'src/core/a.test.ts', '../testing/b.ts'],
])('%s', (_, file, path) => {
  expect(breachesOf({ [file]: from(path) })).toEqual([]);
});

test('a breach names place, rule and way out, however it is imported', () => {
  for (const text of [
    "export const a = 1;\nimport type { B } from '../eval/b.ts';",
    "export const a = 1;\nexport { b } from '../eval/b.ts';",
    "export const a = 1;\nexport * from '../eval/b.ts';",
    "export const a = 1;\nconst b = await import('../eval/b.ts');",
    "export const a = 1;\nlet b: import('../eval/b.ts').B;",
    "export const a = 1;\nimport '../eval/b.ts';",
  ])
    expect(breachTexts({ 'src/train/a.ts': text })).toEqual([
      'src/train/a.ts:2 imports src/eval/b.ts\n' +
        '  rule: a stage imports tiers 0 to 2, never another stage or a surface\n' +
        '  instead: meet in a document (schema) or an artefact (store), or move what both need below, behind spec/',
    ]);
});

test('modules that import one another in a circle are told once, types among them; lazy imports make none', () => {
  const circle = { 'src/core/a.ts': from('./b.ts'), 'src/core/b.ts': from('./c.ts') };
  expect(breachesOf({ ...circle, 'src/core/c.ts': from('./a.ts') })).toEqual([
    'src/core/c.ts:1 imports src/core/a.ts, in a circle: a.ts -> b.ts -> c.ts -> a.ts',
  ]);
  expect(breachesOf({ ...circle, 'src/core/c.ts': "import type { A } from './a.ts';" })).toEqual([
    'src/core/c.ts:1 imports src/core/a.ts, in a circle: a.ts -> b.ts -> c.ts -> a.ts',
  ]);
  expect(breachesOf({ ...circle, 'src/core/c.ts': "await import('./a.ts');" })).toEqual([]);
});
