import { relative } from 'node:path';
import type { SkipNote } from '../tests/support/skip.ts';

/** The parts of vitest's JSON report that are used. */
export interface VitestReport {
  readonly success: boolean;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: 'passed' | 'failed';
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly meta: { readonly skip?: SkipNote };
    }[];
  }[];
}

export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What to print above the counts, one line each. */
  readonly notes: readonly string[];
}

/**
 * Counts a run. A file that did not load or crashed counts as one failed test, and so does a run that failed outside any
 * test. With `strict` (CI) a skipped test counts as failed unless it misses an accelerator or is about another platform.
 */
export function countTests(
  report: VitestReport,
  options: { readonly root: string; readonly strict: boolean },
): TestCounts {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  const notes: string[] = [];
  for (const file of report.testResults) {
    const name = relative(options.root, file.name);
    const failedBefore = failed;
    for (const test of file.assertionResults) {
      const title = `${name} > ${test.fullName.trim()}`;
      if (test.status === 'passed') passed++;
      else if (test.status === 'failed') failed++;
      else if (options.strict && !isAccepted(test.meta.skip)) {
        failed++;
        notes.push(`not run, and CI must run it: ${title}: ${reasonOf(test.meta.skip, file.status)}`);
      } else {
        skipped++;
        notes.push(`skipped: ${title}: ${reasonOf(test.meta.skip, file.status)}`);
      }
    }
    if (file.status === 'failed' && failed === failedBefore) {
      failed++;
      notes.push(`did not run to its end: ${name}: ${file.message}`);
    }
  }
  if (!report.success && failed === 0) {
    failed++;
    notes.push('the run failed outside any test; see above');
  }
  return { passed, failed, skipped, notes };
}

const isAccepted = (note: SkipNote | undefined): boolean => note?.kind === 'accelerator' || note?.kind === 'platform';
function reasonOf(note: SkipNote | undefined, file: 'passed' | 'failed'): string {
  if (note) return note.reason;
  return file === 'failed' ? 'its file failed before it ran' : 'no reason given (use tests/support/skip.ts)';
}
