import { MartletError } from '../core/error.ts';
import { runProcess } from './run-process.ts';

export interface Python {
  readonly command: string;
  /** Such as `3.11`. */
  readonly version: string;
}

const probe =
  "import sys; print('%d.%d' % sys.version_info[:2]); import venv, ensurepip; print('venv', sys.maxsize > 2**32)";

/**
 * The first Python on this machine that has one of the wanted versions and can make a virtual environment.
 * `MARTLET_PYTHON` names one to try first; then the versioned names on PATH, then `python3`, `python` and Windows' `py`.
 * @param options.versions minor versions, the preferred one first.
 * @throws MartletError `python-missing` with what was found under each name and how to get one.
 */
export async function findPython(options: {
  readonly versions: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal | undefined;
}): Promise<Python> {
  const { versions, env } = options;
  const names = [...versions.map((version) => `python${version}`), 'python3', 'python', 'py'];
  const candidates = env.MARTLET_PYTHON ? [env.MARTLET_PYTHON, ...names] : names;
  const findings: string[] = [];
  for (const command of candidates) {
    const { code, stdout } = await runProcess({ command, args: ['-c', probe], env, signal: options.signal });
    const [version, venv] = stdout.split('\n');
    const isWanted = version !== undefined && versions.includes(version);
    if (isWanted && code === 0 && venv === 'venv True') return { command, version };
    if (isWanted) findings.push(`${command} is ${version} but has no working venv module`);
    else if (version) findings.push(`${command} is ${version}`);
  }
  const wanted = versions.length === 1 ? `Python ${versions[0]}` : `one of Python ${versions.join(', ')}`;
  const lacksVenv = findings.find((finding) => finding.includes('no working venv'));
  throw new MartletError(
    'python-missing',
    `${wanted} with its venv module is needed; ${findings.length > 0 ? `found: ${findings.join('; ')}` : 'there is no Python on PATH'}`,
    {
      hint: lacksVenv
        ? `Install the venv module (Debian, Ubuntu: apt install python${versions[0]}-venv).`
        : `Install Python ${versions[0]}, or name one with MARTLET_PYTHON=/path/to/python.`,
    },
  );
}
