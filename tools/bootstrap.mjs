// node tools/bootstrap.mjs <script.ts> [arguments]
//
// Runs one of the project's scripts on a machine that has git, Node and npm and nothing else of ours: installs what the
// lock file names when it is not there, then runs the script under the Node 24 that comes with it. Depends on nothing
// and must parse on any Node from 18 on.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const { atLeast, projectNode, runUnder } = createRequire(import.meta.url)('../bin/under-node.js');
const startedMs = Date.now();
const root = fileURLToPath(new URL('..', import.meta.url));

if (!atLeast(18, 0)) stop(`Martlet needs Node 20 or later to start; this is Node ${process.versions.node}.`);
const [script, ...args] = process.argv.slice(2);
if (!script) stop('usage: node tools/bootstrap.mjs <script.ts> [arguments]');

if (missingPackages().length > 0) {
  install(process.execPath);
  const left = missingPackages();
  // npm leaves out a platform package when the Node that runs it is too old for it; the Node just installed is not.
  if (left.length > 0 && projectNode(root)) installUnderProjectNode();
  const still = missingPackages();
  if (still.length > 0) stop(`npm ci ended well but left out ${still.slice(0, 5).join(', ')}.`);
}

const node = projectNode(root) ?? (atLeast(22, 18) ? process.execPath : undefined);
if (!node)
  stop(
    `There is no Node 24 package for ${process.platform}-${process.arch}, and this Node ${process.versions.node} cannot run TypeScript.\n` +
      'fix: install Node 24 and run the command again.',
  );
if (!existsSync(join(root, script))) stop(`${script} does not exist in ${root}`);

runUnder(node, [join(root, script), ...args], {
  ...process.env,
  ...npmSettings(),
  // For a script that tells how long all of it took, the install included.
  MARTLET_STARTED_MS: String(startedMs),
  // Scripts start tools (tsc, vitest, martlet) by name; the Node beside them is the right one.
  PATH: [dirname(node), join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter),
  NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(root, 'node_modules', '.cache', 'compile'),
});

/**
 * Packages of the lock file that this platform needs and that node_modules does not hold. npm writes what it installed
 * to node_modules/.package-lock.json as its last act, so an interrupted install counts as none.
 */
function missingPackages() {
  const wanted = readLock('package-lock.json');
  if (!wanted) stop('package-lock.json is missing.\nfix: git checkout package-lock.json');
  const there = readLock('node_modules/.package-lock.json') ?? {};
  return Object.keys(wanted).filter((path) => {
    const entry = wanted[path];
    if (!path.startsWith('node_modules/') || entry.link || !fitsPlatform(entry)) return false;
    return there[path]?.version !== entry.version || there[path]?.integrity !== entry.integrity;
  });
}

function readLock(name) {
  try {
    return JSON.parse(readFileSync(join(root, name), 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/** Optional packages without a platform (WebAssembly fallbacks) are npm's to choose. */
function fitsPlatform(entry) {
  const allows = (list, own) => !list || (list.includes(own) && !list.includes(`!${own}`));
  if (entry.optional && !entry.os) return false;
  const libc = process.platform === 'linux' ? (isGlibc() ? 'glibc' : 'musl') : undefined;
  return (
    allows(entry.os, process.platform) && allows(entry.cpu, process.arch) && (!entry.libc || entry.libc.includes(libc))
  );
}

function isGlibc() {
  process.report.excludeNetwork = true;
  isGlibc.known ??= process.report.getReport().header.glibcVersionRuntime !== undefined;
  return isGlibc.known;
}

/** npm ci, under a given Node. Stops with the reason and the fix when it fails. */
function install(underNode) {
  const started = Date.now();
  process.stderr.write('Installing what package-lock.json names (npm ci) ...\n');
  const flags = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const retries = ['--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=5000'];
  const npm = npmScript();
  const env = { ...process.env, ...npmSettings(), PATH: [dirname(underNode), process.env.PATH].join(delimiter) };
  const options = { cwd: root, env, encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] };
  const result = npm
    ? spawnSync(underNode, [npm, ...flags, ...retries], options)
    : spawnSync('npm', [...flags, ...retries], { ...options, shell: process.platform === 'win32' });
  if (result.error?.code === 'ENOENT')
    stop('npm was not found.\nfix: install Node 24 with npm and run the command again.');
  if (result.status !== 0) stop(explainNpm(result.stderr ?? '', result.signal));
  process.stderr.write(`Installed in ${Math.round((Date.now() - started) / 1000)} s\n`);
}

/** npm ci empties node_modules, so the Node that runs it must stand elsewhere. */
function installUnderProjectNode() {
  const folder = mkdtempSync(join(tmpdir(), 'martlet-node-'));
  try {
    const copy = join(folder, basename(projectNode(root)));
    copyFileSync(projectNode(root), copy);
    install(copy);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * npm looks for the machine's settings (certificates, proxy, registry) beside the Node that runs it. Under another Node it
 * must be told where they are.
 */
function npmSettings() {
  const prefix = process.platform === 'win32' ? dirname(process.execPath) : dirname(dirname(process.execPath));
  const machine = join(prefix, 'etc', 'npmrc');
  return process.env.npm_config_globalconfig || !existsSync(machine) ? {} : { npm_config_globalconfig: machine };
}

/** npm's own script, when npm started us: then it runs under the Node we choose. */
function npmScript() {
  const own = process.env.npm_execpath;
  return own && basename(own) === 'npm-cli.js' ? own : undefined;
}

function explainNpm(said, signal) {
  if (signal) return `npm ci was ended by ${signal}.`;
  const unreachable =
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ERR_SOCKET|ENOTCACHED/.exec(said);
  if (unreachable)
    return (
      `npm ci could not reach the package registry (${unreachable[0]}).\n` +
      'fix: check the network; behind a proxy set `npm config set proxy ...` (or HTTPS_PROXY), behind a mirror\n' +
      '     `npm config set registry ...`; then run the same command again. What was fetched so far is kept.'
    );
  if (/E401|E403|E407/.test(said))
    return `npm ci was refused by the package registry:\n${said.trim()}\nfix: log in with \`npm login\`, or check the proxy's password.`;
  if (/SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|CERT_/.test(said))
    return `npm ci does not trust the registry's certificate:\n${said.trim()}\nfix: \`npm config set cafile <your organisation's certificates>\`.`;
  if (/ENOSPC/.test(said)) return 'npm ci ran out of disk space; it needs about 700 MB.';
  // What npm says of its own usage helps nobody here.
  const [reason] = said.split(/npm error\s+(?:Clean install a project|A complete log)/);
  const fix = said.includes('EUSAGE')
    ? '\nfix: `git checkout package.json package-lock.json`, or `npm install` after a change.'
    : '';
  return `npm ci failed:\n${reason.trim()}${fix}`;
}

function stop(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
