// npm run soak [-- paths]: what takes long on purpose (`*.soak.ts`): hours of load, thousands of kills. Not part of npm test.
import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { formatCounts, runTests } from './run-tests.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const found = globSync('{src,tests}/**/*.soak.ts', { cwd: root });
if (found.length === 0) console.log('There is no *.soak.ts yet.');
else {
  const counts = await runTests(root, ['--project=soak', ...process.argv.slice(2)]);
  console.log(formatCounts(counts));
  process.exitCode = counts.failed > 0 || counts.passed === 0 ? 1 : 0;
}
