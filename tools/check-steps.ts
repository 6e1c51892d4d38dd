import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findBreaches, formatBreach } from './boundaries.ts';

export interface CheckStep {
  readonly name: string;
  /** What to run when it fails, where one command mends it. */
  readonly fix?: string;
  run(): Promise<StepResult>;
}

export interface StepResult {
  readonly ok: boolean;
  readonly output: string;
}

/** What `npm run check` does, on the project under `root`. */
export function checkSteps(root: string): readonly CheckStep[] {
  const bin = (name: string) => join(root, 'node_modules/.bin', name);
  const types = async (): Promise<StepResult> => {
    // One thread: measured faster than the default on two busy cores.
    const both = [
      await runTool(bin('tsc'), ['-p', '.', '--singleThreaded', '--pretty', 'false'], root),
      await runTool(bin('tsc'), ['-p', 'tsconfig.browser.json', '--singleThreaded', '--pretty', 'false'], root),
    ];
    return { ok: both.every((one) => one.ok), output: uniqueLines(both.map((one) => one.output).join('')) };
  };
  const generate = join(root, 'tools/generate.ts');
  return [
    {
      name: 'format',
      fix: 'npx biome format --write .',
      run: () => runTool(bin('biome'), ['format', '--colors=off', '.'], root),
    },
    {
      name: 'lint',
      fix: 'npx biome lint --write .',
      run: () => runTool(bin('biome'), ['lint', '--colors=off', '--error-on-warnings', '.'], root),
    },
    { name: 'types', run: types },
    {
      name: 'boundaries',
      run: async () => {
        const breaches = findBreaches(root);
        return { ok: breaches.length === 0, output: breaches.map((breach) => `${formatBreach(breach)}\n`).join('') };
      },
    },
    {
      name: 'generated',
      fix: 'npm run generate',
      run: async () =>
        existsSync(generate)
          ? runTool(process.execPath, [generate, '--check'], root)
          : { ok: true, output: 'nothing is generated yet\n' },
    },
    {
      name: 'unit tests',
      run: () =>
        runTool(
          process.execPath,
          [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--project=unit', '--reporter=dot'],
          root,
        ),
    },
  ];
}

/** The browser's configuration checks a part of the same files, and finds the same mistakes there. */
const uniqueLines = (text: string): string => [...new Set(text.split('\n'))].join('\n');

function runTool(file: string, args: readonly string[], cwd: string): Promise<StepResult> {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      // On Windows the tools in .bin are scripts of cmd.exe.
      shell: process.platform === 'win32' && file !== process.execPath,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    child.on('error', (error) => resolve({ ok: false, output: `${error.message}\n` }));
    child.on('close', (code) => resolve({ ok: code === 0, output }));
  });
}
