import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { checkSteps } from '../../tools/check-steps.ts';

const good = {
  'src/core/answer.ts': "import { half } from './half.ts';\n\nexport const answer = half(84);\n",
  'src/core/half.ts': 'export const half = (n: number): number => n / 2;\n',
  'src/core/answer.test.ts':
    "import { expect, test } from 'vitest';\nimport { answer } from './answer.ts';\n\ntest('is right', () => expect(answer).toBe(42));\n",
  'tools/generate.ts': 'process.exitCode = 0;\n',
};

/** A project with our configuration and these files. @returns its failed steps, with what they said. */
async function failedSteps(files: Record<string, string>): Promise<Record<string, string>> {
  const root = mkdtempSync(join(tmpdir(), 'martlet-check-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const name of [
    'package.json',
    'tsconfig.json',
    'tsconfig.browser.json',
    'biome.json',
    'vitest.config.ts',
    '.gitignore',
  ])
    cpSync(name, join(root, name));
  symlinkSync(resolve('node_modules'), join(root, 'node_modules'));
  for (const [file, text] of Object.entries({ ...good, ...files })) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  const failed: Record<string, string> = {};
  for (const step of checkSteps(root)) {
    const { ok, output } = await step.run();
    if (!ok) failed[step.name] = output;
  }
  return failed;
}

test('a project that is right passes every step', async () => {
  expect(await failedSteps({})).toEqual({});
});

test.each([
  ['format', 'src/core/half.ts', 'export const half = (n: number): number => n/2;\n', 'half.ts'],
  ['lint', 'src/core/half.ts', 'export const half = (n: any): number => n / 2;\n', 'noExplicitAny'],
  ['types', 'src/core/half.ts', "export const half = (n: number): number => n / '2';\n", 'TS2363'],
  ['types', 'src/core/half.ts', 'export const half = (n: number): number => n / (process.pid ? 2 : 1);\n', 'process'],
  [
    'boundaries',
    'src/train/loop.ts',
    "import type { x } from '../eval/score.ts';\n\nexport type Loop = typeof x;\n",
    'a stage imports tiers 0 to 2, never another stage',
  ],
  [
    'generated',
    'tools/generate.ts',
    "console.log('docs/reference/recipe.md is old');\nprocess.exitCode = 1;\n",
    'is old',
  ],
  ['unit tests', 'src/core/half.ts', 'export const half = (n: number): number => n / 3;\n', 'expected 28 to be 42'],
])('%s fails when %s is broken', async (step, file, text, says) => {
  const failed = await failedSteps({ [file]: text, 'src/eval/score.ts': 'export const x = 1;\n' });
  expect(Object.keys(failed)).toEqual([step]);
  expect(failed[step]).toContain(says);
});
