import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { countTests, type TestCounts, type VitestReport } from './count-tests.ts';

/**
 * Runs vitest with its own output on this terminal, then lists what was skipped and why.
 * @param args what to run: `--project unit`, paths, `-t name` ...
 * @returns the counts; a run that left no report counts as one failure.
 */
export async function runTests(root: string, args: readonly string[]): Promise<TestCounts> {
  const folder = await mkdtemp(join(tmpdir(), 'martlet-tests-'));
  const file = join(folder, 'report.json');
  try {
    const exit = await vitest(root, [
      'run',
      ...args,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${file}`,
    ]);
    const report = await readFile(file, 'utf8').then(
      (text) => JSON.parse(text) as VitestReport,
      () => undefined,
    );
    const strict = Boolean(process.env.CI) && process.env.CI !== 'false';
    const counts = report
      ? countTests({ ...report, success: exit === 0 }, { root, strict })
      : { passed: 0, failed: 1, skipped: 0, notes: [`vitest ended with ${exit} and left no report`] };
    for (const note of counts.notes) console.log(note);
    return counts;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export const formatCounts = (counts: TestCounts): string =>
  `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`;

function vitest(root: string, args: readonly string[]): Promise<number> {
  const entry = join(root, 'node_modules/vitest/vitest.mjs');
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [entry, ...args], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
    // A terminal sends Ctrl-C to vitest as well; it stops, and what it has counted is still told.
    process.on('SIGINT', () => {});
    process.on('SIGTERM', () => child.kill('SIGTERM'));
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}
