import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const folder = await mkdtemp(join(tmpdir(), 'martlet-thread-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const thread = join(folder, 'thread.mjs');
writeFileSync(
  thread,
  "import { getHeapStatistics } from 'node:v8';\nconsole.log(getHeapStatistics().heap_size_limit > 0);\n",
);

test.each([
  ['a limit of V8', ['--max-old-space-size=512']],
  ['a script of the command line', ['--no-warnings']],
])('a thread starts under a Node that was given %s', (_, options) => {
  const script = `
    import { Worker } from 'node:worker_threads';
    import { threadOptions } from ${JSON.stringify(new URL('./thread-options.ts', import.meta.url).href)};
    new Worker(${JSON.stringify(thread)}, threadOptions());`;
  const file = join(folder, 'start.mjs');
  writeFileSync(file, script);
  const [first = ''] = options;
  const asFile = first.startsWith('--max') ? [file] : ['--input-type=module', '-e', script];
  expect(execFileSync(process.execPath, [...options, ...asFile], { encoding: 'utf8' })).toBe('true\n');
});
