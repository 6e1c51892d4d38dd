import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findEnvironment, type NodeEnvironment, type PythonEnvironment } from '../src/envs/catalogue.ts';
import { findPython } from '../src/envs/find-python.ts';
import { lockFolder } from '../src/envs/lock.ts';
import { npm } from '../src/envs/node-environment.ts';
import { isolatedEnv, pythonIn } from '../src/envs/python-environment.ts';
import { runProcess } from '../src/envs/run-process.ts';

/**
 * Makes or refreshes an environment's locks: `node tools/lock-environment.ts <name> [--platform linux-x64]`.
 * Versions are resolved once, in a scratch environment, by pip itself; then, for each platform and Python, pip is asked
 * which file it would install, and that file's hash goes into the lock.
 */

interface Report {
  readonly install: readonly {
    readonly metadata: { readonly name: string; readonly version: string };
    readonly download_info: { readonly archive_info: { readonly hashes: { readonly sha256: string } } };
  }[];
}

/** What pip calls the builds that a platform runs, the newest first. */
const pipPlatforms: Readonly<Record<string, readonly string[]>> = {
  'linux-x64': linux('x86_64', [28, 27, 26, 24, 17, 12, 5]),
  'linux-arm64': linux('aarch64', [28, 27, 26, 24, 17]),
  'darwin-arm64': ['macosx_14_0_arm64'],
};

/**
 * PyTorch's CPU wheels, as its own index of CPU builds states them. The builds for Linux that the common index has
 * under the same version bring CUDA.
 */
const torchWheels: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'linux-x64': {
    '3.11': '6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b',
    '3.12': '4ca4a9394b0c771238a4f73590fdbbc4debad85ed0fa63d026ae1b085da7d6e2',
    '3.13': '3fbf9c9d1f3c10c2d59d04aca426dee9ccc6ceb32d255c61e93acc3b4f75fae6',
  },
  'linux-arm64': {
    '3.11': '84453b69508ec79902f899c5ed9495acb9e2bbe9fda5f1d5d6f19e3c3842e1a7',
    '3.12': '6f307c2c32d764ffc6ff6893b801fad6d4752f3e67966cb8abf1843427c02604',
    '3.13': '0b8f7d0423027ae8b90c7977c627f3379f325363a08224dffad9b4b2d684a83d',
  },
};
const torchVersion = '2.13.0';

function linux(machine: string, glibcMinors: readonly number[]): readonly string[] {
  const legacy = machine === 'x86_64' ? ['manylinux2014', 'manylinux2010', 'manylinux1'] : ['manylinux2014'];
  return [...glibcMinors.map((minor) => `manylinux_2_${minor}`), ...legacy, 'linux'].map((tag) => `${tag}_${machine}`);
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { platform: { type: 'string' } } });
const environment = findEnvironment(positionals[0] ?? '');
const scratch = mkdtempSync(join(tmpdir(), 'martlet-lock-'));
try {
  if (environment.kind === 'python') await lockPython(environment);
  else await lockNode(environment);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

async function lockPython(python: PythonEnvironment): Promise<void> {
  const env = isolatedEnv(process.env);
  const { command } = await findPython({ versions: python.pythons.slice(0, 1), env });
  const venv = join(scratch, 'venv');
  await mustRun(command, ['-m', 'venv', venv]);
  const pip = pythonIn(venv);
  const pins = await ask(pip, [...python.requirements]);
  console.log(`${python.name}: ${pins.length} packages`);
  const requirements = join(scratch, 'pins.txt');
  for (const platform of values.platform ? [values.platform] : python.platforms) {
    const wheels = torchWheels[platform] ?? {};
    const hashes = new Map(pins.map(({ name }) => [name, new Set<string>()]));
    for (const version of python.pythons) {
      const known = wheels[version];
      const asked = known ? pins.filter(({ name }) => name !== 'torch') : pins;
      writeFileSync(requirements, asked.map((pin) => `${pin.name}==${pin.version}\n`).join(''));
      const tags = (pipPlatforms[platform] ?? []).flatMap((tag) => ['--platform', tag]);
      const where = ['--target', join(scratch, 'none'), '--python-version', version, ...tags];
      for (const found of await ask(pip, ['--no-deps', ...where, '-r', requirements]))
        hashes.get(found.name)?.add(found.sha256);
      if (known) hashes.get('torch')?.add(known);
      console.log(`  ${platform} Python ${version}`);
    }
    const lines = pins.map(({ name, version }) =>
      [`${name}==${version}`, ...[...(hashes.get(name) ?? [])].sort().map((hash) => `    --hash=sha256:${hash}`)].join(
        ' \\\n',
      ),
    );
    const head =
      `# ${python.summary}.\n# ${platform}, Python ${python.pythons.join(', ')}. Each file is a build for one of them.\n` +
      `# Made by: node tools/lock-environment.ts ${python.name}\n`;
    writeFileSync(join(lockFolder(), `${python.name}.${platform}.lock`), `${head}${lines.join('\n')}\n`);
  }
}

/** What pip would install, by name. */
async function ask(pip: string, args: readonly string[]): Promise<{ name: string; version: string; sha256: string }[]> {
  const file = join(scratch, 'report.json');
  await mustRun(pip, ['-m', 'pip', 'install', '--dry-run', '--ignore-installed', '--quiet', '--report', file, ...args]);
  const report = JSON.parse(readFileSync(file, 'utf8')) as Report;
  return report.install
    .map(({ metadata, download_info }) => ({
      name: metadata.name.toLowerCase().replace(/[-_.]+/g, '-'),
      version: metadata.name === 'torch' ? torchVersion : metadata.version,
      sha256: download_info.archive_info.hashes.sha256,
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function lockNode(node: NodeEnvironment): Promise<void> {
  for (const [platform, platformPackage] of Object.entries(node.platformPackages)) {
    if (values.platform && values.platform !== platform) continue;
    const [os = '', cpu = ''] = platform.split('-');
    const version = Object.values(node.dependencies)[0];
    const work = join(scratch, platform);
    mkdirSync(work);
    const dependencies = { ...node.dependencies, [platformPackage]: version };
    const document = { name: `martlet-${node.name}`, version: '0.0.0', private: true, dependencies };
    writeFileSync(join(work, 'package.json'), `${JSON.stringify(document, null, 2)}\n`);
    const flags = ['--package-lock-only', '--omit-lockfile-registry-resolved', '--ignore-scripts', '--no-audit'];
    const { command, args } = npm(process.env, ['install', ...flags, `--os=${os}`, `--cpu=${cpu}`]);
    await mustRun(command, args, work);
    withoutOptional(join(work, 'package-lock.json'));
    cpSync(work, join(lockFolder(), `${node.name}.${platform}`), { recursive: true });
    console.log(`${node.name}: ${platform}`);
  }
}

/**
 * Leaves only what is installed in the lock. The optional packages are builds for other platforms and GPUs, which not
 * every registry has, and `npm ci` refuses a lock that names one and does not hold it.
 */
function withoutOptional(file: string): void {
  const lock = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, Record<string, unknown>> };
  for (const [path, entry] of Object.entries(lock.packages)) {
    if (entry.optional) delete lock.packages[path];
    delete entry.optionalDependencies;
  }
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
}

async function mustRun(command: string, args: readonly string[], cwd?: string): Promise<void> {
  const env = isolatedEnv(process.env);
  const { code, said } = await runProcess({ command, args, env, ...(cwd ? { cwd } : {}) });
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}\n${said}`);
}
