import { hash } from 'node:crypto';
import { formats } from '../formats.ts';
import { type ReadSourcesRequest, rowReader, type SourceRow } from '../read-sources.ts';
import type { OpenedSource } from '../sources.ts';
import { type OpenedStep, openSteps, type StepValues } from '../steps/open-steps.ts';
import { type Cache, openCache } from './cache.ts';
import { type Delta, decodeDelta, encodeDelta, unpackDelta } from './delta-file.ts';
import { deltaOf, featuresOf, liveRows } from './live-rows.ts';
import { decodePart, encodePart, type Part } from './part-file.ts';
import { type ReadResult, readPart, readResult } from './read-part.ts';

/** What a worker needs to know of the build; plain data. */
export interface WorkSettings {
  readonly cacheFolder: string;
  readonly request: Pick<ReadSourcesRequest, 'values' | 'today'>;
  readonly sources: readonly PlainSource[];
  readonly steps: readonly StepValues[];
}

/** An opened source without its functions. */
export type PlainSource = Omit<OpenedSource, 'format'> & { readonly format: string };

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

/** Reads rows and takes them through the steps without the cache: what it makes comes back with the result. */
export interface DeriveJob {
  readonly kind: 'derive';
  readonly rows: readonly SourceRow[];
  /** Packed deltas of what was decided with a look at all rows: first of reading, then of each step; null where nothing is yet. */
  readonly decided: readonly (Uint8Array | null)[];
}

/** Steps that look at one row at a time, one after the other, and the feature the next step wants of each row. */
export interface StepRun {
  readonly steps: readonly { readonly index: number; readonly delta: string }[];
  readonly feature: { readonly index: number; readonly file: string } | null;
}

export type Job = ReadJob | StepJob | DeriveJob;

export interface JobResult {
  readonly rows: number;
  /** Rows that ended at these steps. */
  readonly dropped: Uint32Array;
  /** What was done because the cache did not hold it: 0 for reading, steps from 1. */
  readonly done: readonly number[];
  /** Null of a job that read nothing. */
  readonly read: ReadResult | null;
  /** Of a derive job. */
  readonly made?: MadeBatch;
}

/** A batch as it crosses from a thread. */
export interface MadeBatch {
  readonly part: Uint8Array;
  /** Of the steps, up to the first that looks at all rows and has not decided yet. */
  readonly deltas: readonly Uint8Array[];
  /** What that step wants of each row; null where all have decided. */
  readonly feature: Uint8Array | null;
}

export type Work = (job: Job) => Promise<JobResult>;

/** Does the jobs of one build, in this thread. Everything it makes goes through the cache. */
export async function openWork(settings: WorkSettings): Promise<Work> {
  const cache = openCache(settings.cacheFolder);
  const sources = settings.sources.map(openAgain);
  const read = rowReader(settings.request);
  const steps = await openSteps(settings.steps);
  return async (job) => {
    if (job.kind === 'derive') return derive(job);
    const { part, fresh } = await partOf(job);
    const before = job.kind === 'steps' ? await Promise.all(job.before.map((name) => deltaNamed(cache, name))) : [];
    const { dropped, done } = await runSteps({ cache, steps, part, before, run: job.run });
    if (fresh) done.unshift(0);
    return {
      rows: part.head.rows,
      dropped,
      done,
      read: job.kind === 'read' ? readResult(part, fresh ?? job.rows) : null,
    };
  };

  function derive({ rows, decided: [accounts, ...decided] }: DeriveJob): JobResult {
    const part = readPart(rows, sources, read, settings.request.today);
    const live = liveRows(part);
    if (accounts) live.apply(unpackDelta(accounts));
    const deltas: Delta[] = [];
    let feature: Uint8Array | null = null;
    for (const [index, { name, step }] of steps.entries()) {
      const known = decided[index];
      if (step.kind === 'whole' && !known) {
        feature = featuresOf(live, part.head.rows, step);
        break;
      }
      const delta = known ? unpackDelta(known) : deltaOf(live.samples(), { name, step });
      live.apply(delta);
      deltas.push(delta);
    }
    const dropped = deltas.flatMap((delta) => delta.rows.flatMap(({ row, drop }) => (drop ? [row] : [])));
    return {
      rows: part.head.rows,
      dropped: Uint32Array.from(dropped),
      done: [],
      read: readResult(part, rows),
      made: { part: encodePart(part), deltas: deltas.map(encodeDelta), feature },
    };
  }

  async function partOf(
    job: ReadJob | StepJob,
  ): Promise<{ readonly part: Part; readonly fresh?: readonly SourceRow[] }> {
    const bytes = await cache.read(job.part);
    const known = bytes && decodePart(bytes);
    if (known && stillHolds(known, settings.request.today)) return { part: known };
    if (job.kind === 'steps') throw new Error(`the part ${job.part} is gone`);
    const part = readPart(job.rows, sources, read, settings.request.today);
    await cache.write(job.part, encodePart(part));
    return { part, fresh: job.rows };
  }
}

export function plainSource({ format, ...source }: OpenedSource): PlainSource {
  const plain = Object.entries(source).filter(([, value]) => typeof value !== 'function');
  return { ...(Object.fromEntries(plain) as typeof source), format: format.name };
}

function openAgain(source: PlainSource): OpenedSource {
  const format = formats.find(({ name }) => name === source.format);
  if (!format) throw new Error(`no format is called ${source.format}`);
  return { ...source, format };
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
