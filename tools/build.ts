// npm run build: src -> dist, one JavaScript file and its types for each module.
//
// Modules stay where they are, so that what a module finds beside itself (a worker, a lock file) it finds in the package
// too, and a stack trace names the file that a reader knows.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatDuration } from '../src/core/units.ts';
import { nameJavaScript } from './name-javascript.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const started = performance.now();
rmSync(join(root, 'dist'), { recursive: true, force: true });

const tsc = spawnSync(
  process.execPath,
  [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json', '--singleThreaded'],
  {
    cwd: root,
    stdio: ['ignore', process.stderr.fd, process.stderr.fd],
  },
);
if (tsc.status !== 0) fail('the sources have type errors; nothing was built');

for (const file of globSync('dist/**/*.{js,d.ts}', { cwd: root })) {
  const path = join(root, file);
  const text = readFileSync(path, 'utf8');
  const named = nameJavaScript(text);
  if (named !== text) writeFileSync(path, named);
}
for (const file of assets()) cpSync(join(root, 'src', file), join(root, 'dist', file));

const missing = doors().filter((target) => !existsSync(join(root, target)));
if (missing.length > 0) fail(`package.json exports what does not exist: ${missing.join(', ')}`);
console.log(`dist/ built in ${formatDuration(performance.now() - started)}`);

/** Files beside the code that it reads when it runs; what only tests read stays out. */
function assets(): readonly string[] {
  const found = globSync('**/*.{json,html,css,jinja,txt,py}', { cwd: join(root, 'src') });
  return found.filter((file) => !/(^|[\\/])(goldens|fixtures)$/.test(dirname(file)));
}

function doors(): readonly string[] {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, string | Record<string, string>>;
  };
  return Object.values(manifest.exports).flatMap((door) => (typeof door === 'string' ? door : Object.values(door)));
}

function fail(message: string): never {
  console.error(`build: ${message}`);
  process.exit(1);
}
