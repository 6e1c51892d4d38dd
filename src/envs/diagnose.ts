import { existsSync } from 'node:fs';
import { access, constants, mkdir, statfs } from 'node:fs/promises';
import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { formatBytes } from '../core/units.ts';
import { environments, thisPlatform } from './catalogue.ts';
import { readyEnvironment } from './ensure-environment.ts';
import { findPython } from './find-python.ts';
import { loadOnnxRuntime, onnxRuntimePackage } from './onnxruntime.ts';

export interface Finding {
  readonly name: string;
  /** `missing` is something that is not needed until it is asked for; `problem` is in the way now. */
  readonly state: 'ok' | 'missing' | 'problem';
  readonly detail: string;
  /** The one command, or the one sentence, that mends it. */
  readonly fix?: string;
}

export interface DiagnoseOptions {
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Also ask the model hub; nothing leaves the machine without it. */
  readonly network: boolean;
  readonly signal?: AbortSignal | undefined;
}

const leastDiskBytes = 2 * 1024 ** 3;
const leastMemoryBytes = 4 * 1024 ** 3;

/** What stands on this machine, what is missing and what mends it. Changes nothing. */
export async function diagnose(options: DiagnoseOptions): Promise<readonly Finding[]> {
  const { home, env, signal } = options;
  return [
    nodeFinding(process.versions.node),
    machineFinding(),
    ...(await homeFindings(home)),
    onnxRuntimeFinding(home),
    await pythonFinding(env, signal),
    ...environments.map(({ name, summary }) => environmentFinding({ name, summary, home })),
    ...(options.network ? [await hubFinding(env, signal)] : []),
  ];
}

export function nodeFinding(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 12)) return { name: 'Node', state: 'ok', detail: version };
  return { name: 'Node', state: 'problem', detail: version, fix: 'Install Node 22.12 or later; 24 is best.' };
}

function machineFinding(): Finding {
  // A container may have been given less than the machine has; 0 or a huge number means no limit.
  const limit = process.constrainedMemory();
  const memory = limit > 0 && limit < totalmem() ? limit : totalmem();
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const detail =
    `${thisPlatform}, ${availableParallelism()} cores (${model}), ` +
    `${formatBytes(memory)} memory, ${formatBytes(freemem())} free`;
  if (memory >= leastMemoryBytes) return { name: 'Machine', state: 'ok', detail };
  return {
    name: 'Machine',
    state: 'problem',
    detail,
    fix: `Training needs ${formatBytes(leastMemoryBytes)} of memory.`,
  };
}

async function homeFindings(home: string): Promise<readonly Finding[]> {
  const fix = 'Set MARTLET_HOME to a folder on a disk with room.';
  try {
    await mkdir(home, { recursive: true });
    await access(home, constants.W_OK);
  } catch (error) {
    return [{ name: 'Cache', state: 'problem', detail: `${home}: ${(error as Error).message}`, fix }];
  }
  const { bavail, bsize } = await statfs(home);
  const free = bavail * bsize;
  const disk: Finding = { name: 'Disk', state: 'ok', detail: `${formatBytes(free)} free` };
  return [
    { name: 'Cache', state: 'ok', detail: home },
    free >= leastDiskBytes ? disk : { ...disk, state: 'problem', fix },
  ];
}

function onnxRuntimeFinding(home: string): Finding {
  const { version } = onnxRuntimePackage;
  const folder = join(home, 'onnxruntime', `${version}-${thisPlatform}`);
  const name = 'ONNX Runtime';
  if (!existsSync(join(folder, 'ready.json')))
    return { name, state: 'missing', detail: `${version}, fetched on first use`, fix: 'martlet setup onnxruntime' };
  try {
    loadOnnxRuntime(folder);
    return { name, state: 'ok', detail: version };
  } catch (error) {
    return { name, state: 'problem', detail: (error as Error).message, fix: 'martlet setup onnxruntime --force' };
  }
}

async function pythonFinding(env: DiagnoseOptions['env'], signal: AbortSignal | undefined): Promise<Finding> {
  const versions = [...new Set(environments.flatMap((one) => (one.kind === 'python' ? one.pythons : [])))];
  try {
    const python = await findPython({ versions, env, signal });
    return { name: 'Python', state: 'ok', detail: `${python.version} (${python.command})` };
  } catch (error) {
    if (!MartletError.is(error)) throw error;
    return { name: 'Python', state: 'missing', detail: error.message, ...(error.hint ? { fix: error.hint } : {}) };
  }
}

function environmentFinding({ name, summary, home }: { name: string; summary: string; home: string }): Finding {
  const label = `Environment ${name}`;
  try {
    const ready = readyEnvironment({ name, home });
    if (ready) return { name: label, state: 'ok', detail: ready.folder };
    return { name: label, state: 'missing', detail: summary, fix: `martlet setup ${name}` };
  } catch (error) {
    if (!MartletError.is(error)) throw error;
    return { name: label, state: 'missing', detail: error.message, ...(error.hint ? { fix: error.hint } : {}) };
  }
}

async function hubFinding(env: DiagnoseOptions['env'], signal: AbortSignal | undefined): Promise<Finding> {
  const endpoint = env.HF_ENDPOINT || 'https://huggingface.co';
  const timeout = AbortSignal.timeout(5_000);
  const started = performance.now();
  try {
    const answer = await fetch(endpoint, {
      method: 'HEAD',
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    const detail = `${endpoint} answered ${answer.status} in ${Math.round(performance.now() - started)} ms`;
    if (answer.status < 500) return { name: 'Hub', state: 'ok', detail };
    return { name: 'Hub', state: 'problem', detail, fix: 'Try later, or set HF_ENDPOINT to a mirror.' };
  } catch (error) {
    signal?.throwIfAborted();
    const cause = (error as Error).cause;
    const why = cause instanceof Error ? cause.message : (error as Error).message;
    const fix = 'Check the proxy, or set HF_ENDPOINT to a mirror. Models in the cache and on disk work without it.';
    return { name: 'Hub', state: 'problem', detail: `${endpoint}: ${why}`, fix };
  }
}
