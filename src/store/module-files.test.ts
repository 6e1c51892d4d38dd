import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { moduleFiles } from './module-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'martlet-module-files-'));
afterAll(() => rmSync(folder, { recursive: true }));

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

const filesOf = async (name: string) =>
  (await moduleFiles(join(folder, name))).map((file) => relative(folder, file).replaceAll('\\', '/'));

test('a module comes from all that it imports by path, what it reads beside itself, and versions of packages', async () => {
  write({
    'step.ts': [
      "import { readFileSync } from 'node:fs';",
      "import { defineStep } from 'martlet';",
      "import { z } from 'zod';",
      'import {\n  a,\n  b,\n} from "./lib/a.ts";',
      "import './side.mjs';",
      "export * from './again.ts';",
      "import { deep } from '@team/kit/deep.js';",
      "import list from './list.json' with { type: 'json' };",
      'const late = () => import(/* later */ `./late.mjs`);',
      "const words = readFileSync(new URL('./words.txt', import.meta.url), 'utf8');",
      "import { none } from './not-there.ts';",
    ].join('\n'),
    'lib/a.ts': "export { b } from '../b.ts';",
    'b.ts': "import './lib/a.ts';",
    'side.mjs': '',
    'again.ts': "import lodash from 'lodash';",
    'list.json': '["./b.ts"]',
    'late.mjs': "import { createRequire } from 'node:module';\ncreateRequire(import.meta.url)('x'); require('./old');",
    'old.cjs': '',
    'words.txt': "import './unused.mjs'",
    'unused.mjs': '',
    'node_modules/@team/kit/package.json': '{"version": "1.0.0"}',
    'node_modules/lodash/package.json': '{"version": "4.0.0"}',
  });
  expect((await filesOf('step.ts')).toSorted()).toEqual([
    ...['again.ts', 'b.ts', 'late.mjs', 'lib/a.ts', 'list.json'],
    ...['node_modules/@team/kit/package.json', 'node_modules/lodash/package.json'],
    ...['old.cjs', 'side.mjs', 'step.ts', 'words.txt'],
  ]);
});
