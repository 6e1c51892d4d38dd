import { hash } from 'node:crypto';
import type { SourceRow } from '../../read-sources.ts';
import type { OpenedStep } from '../../steps/open-steps.ts';
import { type Delta, decodeDelta, encodeDelta } from '../delta-file.ts';
import type { JobResult, WorkContext } from '../job.ts';
import { deltaOf, featuresOf, liveRows } from '../live-rows.ts';
import { decodePart, encodePart, type Part } from '../part-file.ts';
import { readPart, readResult } from '../read-part.ts';
import type { Cache } from './cache.ts';

export interface ReadJob {
  readonly kind: 'read';
  readonly rows: readonly SourceRow[];
  /** Name of the part in the cache. */
  readonly part: string;
  readonly run: StepRun;
}

export interface StepJob {
  readonly kind: 'steps';
  readonly part: string;
  /** Deltas that come before, in order. */
  readonly before: readonly string[];
  readonly run: StepRun;
}

/** Steps that look at one row at a time, one after the other, and the feature the next step wants of each row. */
export interface StepRun {
  readonly steps: readonly { readonly index: number; readonly delta: string }[];
  readonly feature: { readonly index: number; readonly file: string } | null;
}

export type CachedJob = ReadJob | StepJob;

/** Everything it makes goes through the cache. */
export async function runCached(job: CachedJob, ...[cache, context]: [Cache, WorkContext]): Promise<JobResult> {
  const { part, fresh } = await partOf(cache, job, context);
  const before = job.kind === 'steps' ? await Promise.all(job.before.map((name) => deltaNamed(cache, name))) : [];
  const { dropped, done } = await runSteps({ cache, steps: context.steps, part, before, run: job.run });
  if (fresh) done.unshift(0);
  return {
    rows: part.head.rows,
    dropped,
    done,
    read: job.kind === 'read' ? readResult(part, fresh ?? job.rows) : null,
  };
}

async function partOf(
  cache: Cache,
  ...[job, { sources, read, today }]: [CachedJob, WorkContext]
): Promise<{ readonly part: Part; readonly fresh?: readonly SourceRow[] }> {
  const bytes = await cache.read(job.part);
  const known = bytes && decodePart(bytes);
  if (known && stillHolds(known, today)) return { part: known };
  if (job.kind === 'steps') throw new Error(`the part ${job.part} is gone`);
  const part = readPart(job.rows, sources, read, today);
  await cache.write(job.part, encodePart(part));
  return { part, fresh: job.rows };
}

/** Whether no embargo has ended (or, with a clock set back, begun) since the part was made. */
function stillHolds({ head }: Part, today: string): boolean {
  return head.embargoes.every((day) => day > head.today === day > today);
}

export async function deltaNamed(cache: Cache, name: string): Promise<Delta> {
  const bytes = await cache.read(name);
  const delta = bytes && decodeDelta(bytes);
  if (!delta) throw new Error(`the delta ${name} is gone`);
  return delta;
}

interface RunStepsRequest {
  readonly cache: Cache;
  readonly steps: readonly OpenedStep[];
  readonly part: Part;
  readonly before: readonly Delta[];
  readonly run: StepRun;
}

/** Runs what the cache does not hold yet; rows are parsed only then. */
async function runSteps({ cache, steps, part, before, run }: RunStepsRequest) {
  const live = liveRows(part);
  for (const delta of before) live.apply(delta);
  const dropped: number[] = [];
  const done: number[] = [];
  for (const { index, delta: name } of run.steps) {
    const bytes = await cache.read(name);
    let delta = bytes && decodeDelta(bytes);
    if (!delta) {
      delta = deltaOf(live.samples(), stepAt(steps, index));
      await cache.write(name, encodeDelta(delta));
      done.push(index + 1);
    }
    live.apply(delta);
    for (const { row, drop } of delta.rows) if (drop) dropped.push(row);
  }
  if (run.feature)
    await writeFeature({ cache, live, part, feature: run.feature, step: stepAt(steps, run.feature.index) });
  return { dropped: Uint32Array.from(dropped), done };
}

function stepAt(steps: readonly OpenedStep[], index: number): OpenedStep {
  const step = steps[index];
  if (!step) throw new Error(`no step ${index}`);
  return step;
}

async function writeFeature({
  cache,
  live,
  part,
  feature,
  step: { step },
}: {
  readonly cache: Cache;
  readonly live: ReturnType<typeof liveRows>;
  readonly part: Part;
  readonly feature: { readonly file: string };
  readonly step: OpenedStep;
}): Promise<void> {
  if (step.kind !== 'whole' || !step.feature) return;
  const width = step.featureBytes;
  const known = await cache.read(feature.file);
  if (known && known.length === part.head.rows * width + 32 && checked(known)) return;
  const bytes = featuresOf(live, part.head.rows, step);
  await cache.write(feature.file, Buffer.concat([bytes, hash('sha256', bytes, 'buffer')]));
}

const checked = (bytes: Buffer): boolean =>
  hash('sha256', bytes.subarray(0, -32), 'buffer').equals(bytes.subarray(-32));
