import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'martlet-own-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What a module of such lines gives, in a process of its own: here, the test runner loads modules in its own way. */
function loaded(...lines: readonly string[]): string {
  const file = join(folder, 'own.ts');
  writeFileSync(file, lines.join('\n'));
  const script = `
    const { importOwnModule } = await import(${JSON.stringify(new URL('own-module.ts', import.meta.url).href)});
    await importOwnModule(${JSON.stringify(file)}).then(
      (found) => process.stdout.write(found.default.name),
      (error) => process.stdout.write(error.message));`;
  return execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
}

test('a module beside a recipe imports this program and its zod, without a package of its own', () => {
  const name = loaded(
    "import { defineSource } from 'martlet';",
    "import { fates } from 'martlet/schema';",
    "import { z } from 'zod';",
    'const name: string = z.string().parse(fates[0]);',
    'export default defineSource({ name, *open() {} });',
  );
  expect(name).toBe('train');
});

test('another package must be there', () => {
  expect(loaded("import 'martlett';")).toMatch(/Cannot find package 'martlett'/);
});
