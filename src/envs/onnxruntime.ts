import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { formatBytes, formatDuration } from '../core/units.ts';
import { withFolderLock } from './folder-lock.ts';
import { extractTarball } from './tar.ts';

/**
 * ONNX Runtime is not a dependency: its package carries every platform (288 MB) and an install script that downloads
 * CUDA files and fails the install where it cannot. It is fetched on first use instead, checked, and cut to this platform.
 */
export const onnxRuntimePackage = {
  version: '1.30.0',
  /** As the registry states it for that version. */
  integrity: 'sha512-twhs1C2C/BFkz1yc5OY0KIU2GUq6DURO7hD4bx5Q2Qy3nAMJwRXW8xU3NVczE29VA9lolLOYepoD8fjTGOfIqw==',
  bytes: 113_507_888,
} as const;

const platforms = ['linux-x64', 'linux-arm64', 'darwin-arm64', 'win32-x64', 'win32-arm64'] as const;

export type OnnxRuntime = typeof import('onnxruntime-common');

export interface EnsureOnnxRuntimeOptions {
  /** `martletHome(env)`. */
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** One line at a time, without a line end. */
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** Where the package comes from; npm, unless a test says otherwise. */
  readonly source?: OnnxRuntimeSource;
}

export interface OnnxRuntimeSource {
  readonly integrity: string;
  /** Puts the package into an empty folder. @returns the tarball's path. */
  fetch(folder: string, options: EnsureOnnxRuntimeOptions): Promise<string>;
}

/**
 * The folder that holds ONNX Runtime for this platform, made on first use. Afterwards a call costs one file look-up.
 * Safe when several processes want it at once. `MARTLET_ONNXRUNTIME` may name a tarball of the package to use instead of
 * fetching it; it must be the same one.
 * @throws MartletError `platform-unsupported`, `npm-missing`, `registry-unreachable`, `integrity-mismatch`.
 */
export async function ensureOnnxRuntime(options: EnsureOnnxRuntimeOptions): Promise<string> {
  const folder = runtimeFolder(options.home);
  if (existsSync(marker(folder))) return folder;
  if (!platforms.some((known) => known === platform))
    throw new MartletError('platform-unsupported', `ONNX Runtime has no build for ${platform}`, {
      hint: `The embedded engine runs on ${platforms.join(', ')}.`,
    });
  const onWait = (): void => options.log('Waiting for another process that is fetching ONNX Runtime');
  await withFolderLock({ path: `${folder}.lock`, onWait, signal: options.signal }, async () => {
    if (!existsSync(marker(folder))) await install(folder, options);
  });
  return folder;
}

/** Whether `ensureOnnxRuntime` has nothing to do. */
export const hasOnnxRuntime = (home: string): boolean => existsSync(marker(runtimeFolder(home)));

const platform = `${process.platform}-${process.arch}`;

const runtimeFolder = (home: string): string => join(home, 'onnxruntime', `${onnxRuntimePackage.version}-${platform}`);

/**
 * For the main thread of a process: threads set no variable that a library reads.
 * @throws MartletError `onnxruntime-broken` when its library does not load here.
 */
export function loadOnnxRuntime(folder: string): OnnxRuntime {
  // From 1.29 on it sends names and hashes of graphs to its maker, unless told not to before it is loaded (microsoft/onnxruntime#27379).
  process.env.ORT_DISABLE_TELEMETRY = '1';
  try {
    return createRequire(marker(folder))('onnxruntime-node') as OnnxRuntime;
  } catch (cause) {
    throw new MartletError('onnxruntime-broken', `ONNX Runtime does not load: ${(cause as Error).message}`, {
      cause,
      hint: `Remove ${folder} and run the command again. It needs glibc 2.28 or later on Linux.`,
    });
  }
}

/** Written last, inside a folder that appears by a rename: where it stands, everything stands. */
const marker = (folder: string): string => join(folder, 'ready.json');

async function install(folder: string, options: EnsureOnnxRuntimeOptions): Promise<void> {
  const started = performance.now();
  const source = options.source ?? fromNpm;
  await mkdir(dirname(folder), { recursive: true });
  const work = await mkdtemp(`${folder}.tmp-`);
  try {
    const tarball = options.env.MARTLET_ONNXRUNTIME ?? (await source.fetch(work, options));
    await checkIntegrity(tarball, source.integrity);
    const made = join(work, 'made');
    await extractPackage(tarball, { made, signal: options.signal });
    await copyCommon(made);
    await writeFile(
      marker(made),
      `${JSON.stringify({ version: onnxRuntimePackage.version, integrity: source.integrity })}\n`,
    );
    // A folder without the marker is what an older interrupted removal left; nothing uses it.
    await rm(folder, { recursive: true, force: true });
    await rename(made, folder);
    options.log(`ONNX Runtime ${onnxRuntimePackage.version} is ready (${formatDuration(performance.now() - started)})`);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function checkIntegrity(tarball: string, integrity: string): Promise<void> {
  const hash = createHash('sha512');
  try {
    for await (const chunk of createReadStream(tarball)) hash.update(chunk);
  } catch (cause) {
    throw new MartletError('file-missing', `cannot read ${tarball}: ${(cause as Error).message}`, { cause });
  }
  const found = `sha512-${hash.digest('base64')}`;
  if (found !== integrity)
    throw new MartletError(
      'integrity-mismatch',
      `${basename(tarball)} is not the package that Martlet was tested with`,
      {
        hint: `Expected ${integrity}, found ${found}. A registry or proxy may have changed it.`,
      },
    );
}

async function extractPackage(
  tarball: string,
  { made, signal }: { made: string; signal: AbortSignal | undefined },
): Promise<void> {
  const native = `package/bin/napi-v6/${process.platform}/${process.arch}/`;
  const written = await extractTarball({
    file: tarball,
    signal,
    select: (member) => {
      const wanted =
        member === 'package/package.json' ||
        /^package\/dist\/[\w-]+\.js$/.test(member) ||
        (member.startsWith(native) && /^[\w.-]+$/.test(member.slice(native.length)));
      return wanted ? join(made, 'node_modules/onnxruntime-node', member.slice('package/'.length)) : undefined;
    },
  });
  if (!written.some((member) => member.startsWith(native)))
    throw new MartletError(
      'archive-damaged',
      `${basename(tarball)} holds no ${process.platform}-${process.arch} build`,
    );
}

/** onnxruntime-node requires onnxruntime-common by name, so a copy of ours stands beside it. */
async function copyCommon(made: string): Promise<void> {
  const entry = createRequire(import.meta.url).resolve('onnxruntime-common');
  const from = join(dirname(entry), '../..');
  const to = join(made, 'node_modules/onnxruntime-common');
  await cp(join(from, 'package.json'), join(to, 'package.json'));
  await cp(dirname(entry), join(to, 'dist/cjs'), { recursive: true, filter: (path) => !/\.(map|d\.ts)$/.test(path) });
}

/** `npm pack` obeys the registry, proxy, certificates and credentials that the user set for npm. */
const fromNpm: OnnxRuntimeSource = {
  integrity: onnxRuntimePackage.integrity,
  async fetch(folder, { env, log, signal }) {
    const spec = `onnxruntime-node@${onnxRuntimePackage.version}`;
    log(
      `Fetching ONNX Runtime ${onnxRuntimePackage.version}, once (${formatBytes(onnxRuntimePackage.bytes)} through npm)`,
    );
    const started = performance.now();
    const ticking = setInterval(() => {
      log(`Still fetching ONNX Runtime (${formatDuration(performance.now() - started)})`);
    }, 10_000);
    try {
      const flags = [
        '--ignore-scripts',
        '--loglevel=error',
        '--fetch-retry-mintimeout=1000',
        '--fetch-retry-maxtimeout=5000',
      ];
      await runNpm(['pack', spec, ...flags, `--pack-destination=${folder}`], { env, signal, spec });
    } finally {
      clearInterval(ticking);
    }
    const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz'));
    if (!tarball) throw new MartletError('registry-unreachable', `npm pack ${spec} gave no file`, { retryable: true });
    return join(folder, tarball);
  },
};

function runNpm(
  args: readonly string[],
  { env, signal, spec }: { env: EnsureOnnxRuntimeOptions['env']; signal: AbortSignal | undefined; spec: string },
): Promise<void> {
  // Under `npm run` and `npx` this names the very npm in use; elsewhere PATH decides. On Windows npm is a script of cmd.exe.
  const own = env.npm_execpath;
  const viaNode = own !== undefined && basename(own) === 'npm-cli.js';
  const onWindows = process.platform === 'win32';
  const [file, all] = viaNode ? [process.execPath, [own, ...args]] : ['npm', [...args]];
  const quoted = onWindows && !viaNode ? all.map((arg) => `"${arg}"`) : all;
  const byHand =
    `On a machine that reaches a registry, run \`npm pack ${spec}\`, copy the file here ` +
    'and set MARTLET_ONNXRUNTIME to its path.';
  return new Promise((resolve, reject) => {
    const child = spawn(file, quoted, {
      env: { ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
      shell: onWindows && !viaNode,
      ...(signal ? { signal } : {}),
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4_000);
    });
    child.on('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOENT') reject(cause);
      else
        reject(
          new MartletError('npm-missing', 'npm is needed once to fetch ONNX Runtime, and was not found', {
            hint: byHand,
          }),
        );
    });
    child.on('close', (code) => {
      if (code === 0) resolve();
      else
        reject(
          new MartletError('registry-unreachable', `npm could not fetch ${spec}:\n${said.trim()}`, {
            hint: `Check the network, \`npm config get registry\` and \`npm config get proxy\`. ${byHand}`,
            retryable: true,
          }),
        );
    });
  });
}
