import { formats } from '../formats.ts';
import type { OpenedSource } from '../opened-source.ts';
import { type ReadSourcesRequest, rowReader } from '../read-sources.ts';
import { openSteps, type StepValues } from '../steps/open-steps.ts';
import type { JobResult, WorkContext } from './job.ts';
import { openCache } from './kept/cache.ts';
import { type CachedJob, runCached } from './kept/cached-jobs.ts';
import { type DeriveJob, derive } from './streamed/derive-job.ts';

/** What a worker needs to know of the build; plain data. */
export interface WorkSettings {
  readonly cacheFolder: string;
  readonly request: Pick<ReadSourcesRequest, 'values' | 'today'>;
  readonly sources: readonly PlainSource[];
  readonly steps: readonly StepValues[];
}

/** An opened source without its functions. */
export type PlainSource = Omit<OpenedSource, 'format'> & { readonly format: string };

export type Job = CachedJob | DeriveJob;

export type Work = (job: Job) => Promise<JobResult>;

/** Does the jobs of one build, in this thread. */
export async function openWork(settings: WorkSettings): Promise<Work> {
  const cache = openCache(settings.cacheFolder);
  const context: WorkContext = {
    sources: settings.sources.map(openAgain),
    steps: await openSteps(settings.steps),
    read: rowReader(settings.request),
    today: settings.request.today,
  };
  return async (job) => (job.kind === 'derive' ? derive(job, context) : runCached(job, cache, context));
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
