import { readFile } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { readModelConfig } from '../models/config.ts';
import { openSafetensors } from '../models/safetensors.ts';
import type { Facts } from '../recipe/index.ts';

/** What this process may use of the machine: containers and affinity count. */
export async function machineFacts(): Promise<NonNullable<Facts['machine']>> {
  const constrained = process.constrainedMemory();
  const bytes = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  return {
    cores: await physicalCores(),
    memoryGiB: Math.round((bytes / 2 ** 30) * 100) / 100,
    platform: `${process.platform}-${process.arch}`,
  };
}

/** The configuration of a model folder, and the numbers in its tensors. Reads headers only. */
export async function modelFacts(folder: string): Promise<NonNullable<Facts['model']>> {
  const config = await readModelConfig(folder);
  await using weights = await openSafetensors(folder);
  const sizes = weights.names.map((name) => weights.info(name).shape.reduce((product, size) => product * size, 1));
  return { ...config, parameters: sizes.reduce((total, size) => total + size, 0) };
}

/** Two threads of one core share its arithmetic units: a second one adds nothing to matrix products. */
async function physicalCores(): Promise<number> {
  const usable = availableParallelism();
  if (process.platform !== 'linux') return usable;
  const cpus = (await readFile('/proc/cpuinfo', 'utf8').catch(() => '')).split('\n\n');
  const field = (cpu: string, name: string): string | undefined =>
    new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(cpu)?.[1];
  const cores = new Set(
    cpus.flatMap((cpu) => {
      const core = field(cpu, 'core id');
      return core === undefined ? [] : [`${field(cpu, 'physical id') ?? 0}/${core}`];
    }),
  );
  return Math.max(1, Math.min(usable, cores.size || usable, await cgroupCores()));
}

/** The share of processor time a container is held to; infinity where there is no such limit. */
async function cgroupCores(): Promise<number> {
  const [quota, period] = (await readFile('/sys/fs/cgroup/cpu.max', 'utf8').catch(() => 'max')).trim().split(' ');
  return quota === 'max' || !quota || !period ? Number.POSITIVE_INFINITY : Math.ceil(Number(quota) / Number(period));
}
