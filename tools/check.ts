// npm run check [-- step ...]: format, lint, types, boundaries, generated files, unit tests. All of them run, whatever fails.
import { fileURLToPath } from 'node:url';
import { nearestName } from '../src/core/nearest.ts';
import { formatDuration } from '../src/core/units.ts';
import { checkSteps } from './check-steps.ts';

const steps = checkSteps(fileURLToPath(new URL('..', import.meta.url)));
const chosen = process.argv.slice(2);
const names = steps.map((step) => step.name.split(' ')[0] ?? '');
const unknown = chosen.find((name) => !names.includes(name));

if (unknown !== undefined) {
  console.error(`There is no step ${unknown}; did you mean ${nearestName(unknown, names) ?? names.join(', ')}?`);
  process.exitCode = 2;
} else {
  const failed: string[] = [];
  for (const step of steps.filter((_, index) => chosen.length === 0 || chosen.includes(names[index] ?? ''))) {
    const started = performance.now();
    const result = await step.run();
    console.log(
      `${result.ok ? 'ok    ' : 'FAILED'} ${step.name.padEnd(12)} ${formatDuration(performance.now() - started)}`,
    );
    if (result.ok) continue;
    failed.push(step.name);
    console.log(result.output.trimEnd().replace(/^/gm, '  '));
    if (step.fix) console.log(`  fix: ${step.fix}`);
  }
  if (failed.length > 0) {
    console.log(`failed: ${failed.join(', ')}`);
    process.exitCode = 1;
  }
}
