// npm test [-- paths and vitest flags]: every test there is. Ends with `N passed, N failed, N skipped`.
import { fileURLToPath } from 'node:url';
import { formatCounts, runTests } from './run-tests.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const counts = await runTests(root, ['--project=unit', '--project=whole', ...process.argv.slice(2)]);
console.log(formatCounts(counts));
// A run that tests nothing proves nothing.
process.exitCode = counts.failed > 0 || counts.passed === 0 ? 1 : 0;
