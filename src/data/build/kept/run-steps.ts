import { createHash, hash } from 'node:crypto';
import { fingerprint } from '../../../core/fingerprint.ts';
import type { StepReuse } from '../../../store/stage.ts';
import type { OpenedSource } from '../../opened-source.ts';
import { type ReadSourcesRequest, readingValues } from '../../read-sources.ts';
import { rowAccounts } from '../../row-accounts.ts';
import { sourceRows } from '../../source-rows.ts';
import { codeFingerprint, type OpenedStep, openSteps, stepKeys } from '../../steps/open-steps.ts';
import type { WholeVerdict } from '../../steps/step.ts';
import { batchesOf } from '../batches.ts';
import { accountsDelta, type DropsRequest, dropsByBatch, liveNumbers } from '../decide.ts';
import { type Delta, decodeDelta, encodeDelta } from '../delta-file.ts';
import { plainSource } from '../work.ts';
import { openWorkerPool, type WorkerPool } from '../worker-pool.ts';
import { holdYoungMemory } from '../young-memory.ts';
import type { BatchState } from './batch-state.ts';
import { type Cache, openCache } from './cache.ts';
import type { StepRun } from './cached-jobs.ts';
import { cachedRows } from './cached-rows.ts';

export interface RunStepsRequest extends ReadSourcesRequest {
  readonly sources: readonly OpenedSource[];
  readonly cacheFolder: string;
  /** Threads that read rows and run steps; 0 for this one alone. Never part of what the result is. */
  readonly workers: number;
  readonly batchBytes?: number | undefined;
  readonly onBatch?: ((rows: number) => void) | undefined;
  /** Told of the steps when they are open. */
  readonly onSteps?: ((steps: readonly OpenedStep[]) => void) | undefined;
}

/** What became of the rows of one batch, as names of files in the cache. */
export interface BatchOutcome {
  readonly part: string;
  readonly rows: number;
  /** First of what is accounted for by reading alone: limits and duplicates. Then one of each step. */
  readonly deltas: readonly string[];
}

export interface StepsOutcome {
  readonly batches: readonly BatchOutcome[];
  /** Names of the steps, in the order of the deltas; `read` is the first. */
  readonly names: readonly string[];
  /** Numbers of the kept rows among all rows, in the order in which they are written; absent when that is their own. */
  readonly order?: Uint32Array;
  /** How much of it the cache held already: of reading, then of each step. */
  readonly reuse: readonly StepReuse[];
  /** Names in the cache of all that this build is made of. */
  readonly files: ReadonlySet<string>;
}

/**
 * Reads all rows and takes them through the steps. Each batch is read, and each step done to it, by whichever worker is
 * free; what they make goes into the cache under the hash of what it is made of, so that a build that was killed goes on
 * from there, and a later one does again only what differs. Steps that look at all rows run here.
 */
export async function runSteps(request: RunStepsRequest): Promise<StepsOutcome> {
  const { sources, values, today, cacheFolder, workers, signal } = request;
  const cache = openCache(cacheFolder);
  const steps = await openSteps(values.steps);
  request.onSteps?.(steps);
  const keys = await stepKeys(values.steps);
  const settings = { cacheFolder, request: { values, today }, sources: sources.map(plainSource), steps: values.steps };
  using _ = holdYoungMemory(4);
  await using pool = await openWorkerPool(settings, workers);
  const context = fingerprint({ code: await codeFingerprint(), reading: readingValues(values) });
  const segments = segmentsOf(steps);
  const batches: BatchState[] = [];
  const files = new Set<string>();
  const names = ['read', ...steps.map(({ name }) => name)];
  /** Pieces of the rows, by what was done to them anew. */
  const done = names.map(() => 0);
  const count = (numbers: readonly number[], pieces = 1): void => {
    for (const number of numbers) done[number] = (done[number] ?? 0) + pieces;
  };
  const accounts = rowAccounts(sources, values.split);
  const rawRows = batchesOf(sourceRows(sources, { values, signal }), sources, {
    context,
    ...(request.batchBytes !== undefined && { bytes: request.batchBytes }),
  });

  let settled: Promise<void> = Promise.resolve();
  let failed: unknown;
  const waiting: Promise<void>[] = [];
  for await (const batch of rawRows) {
    signal?.throwIfAborted();
    const part = `${batch.key}.part`;
    const { run, chain, deltas } = planRun({ segment: segments[0], keys, steps, chain: batch.key });
    const rowSources = Uint16Array.from(batch.rows, ({ source }) => source);
    const rowFiles = batch.rows.map(({ raw }) => raw.file);
    const job = pool.run({ kind: 'read', rows: batch.rows, part, run }, pool.isApart ? batch.memory : []);
    job.catch(() => undefined);
    settled = settled.then(async () => {
      const { rows, dropped, read, ...more } = await job;
      count(more.done);
      if (!read) throw new Error('a read job reads');
      for (const value of read.splitValues) accounts.sawSplit(value);
      const dead = new Uint8Array(rows);
      const first = accountsDelta({ accounts, read, rowSources, rowFiles, dead });
      for (const row of dropped) dead[row] = 1;
      const name = await saveDelta(cache, batch.key, first);
      const state = { part, rows, sources: rowSources, dead, deltas: [name, ...deltas], chain: link(chain, name) };
      if (run.feature) files.add(run.feature.file);
      batches.push({ ...state, feature: run.feature?.file ?? null });
      request.onBatch?.(rows);
    });
    settled.catch((error: unknown) => {
      failed ??= error;
    });
    waiting.push(settled);
    if (waiting.length > pool.width * 2) await waiting.shift();
    if (failed !== undefined) throw failed;
  }
  await settled;
  accounts.finish();

  let order: Uint32Array | undefined;
  for (const [number, segment] of segments.entries()) {
    if (number > 0) await runSegment({ segment, batches, pool, keys, steps, files, signal, onDone: count });
    const whole = segment.whole === null ? undefined : steps[segment.whole];
    if (!whole || segment.whole === null) continue;
    const decision = await runWhole({ cache, batches, sources, files, step: whole, key: keys[segment.whole] ?? '' });
    if (!decision.isKnown) count([segment.whole + 1], batches.length);
    order = decision.order ?? order;
  }
  for (const { part, deltas } of batches) for (const name of [part, ...deltas]) files.add(name);
  return {
    files,
    batches: batches.map(({ part, rows, deltas }) => ({ part, rows, deltas })),
    names,
    reuse: names.map((step, number) => ({ step, pieces: batches.length, taken: batches.length - (done[number] ?? 0) })),
    ...(order && { order: stillThere(order, liveNumbers(batches)) }),
  };
}

/** Steps of rows, then the step that looks at all rows; the first segment comes right after reading. */
interface Segment {
  readonly steps: readonly number[];
  readonly whole: number | null;
}

function segmentsOf(steps: readonly OpenedStep[]): readonly Segment[] {
  const segments: Segment[] = [];
  let rows: number[] = [];
  for (const [index, { step }] of steps.entries()) {
    if (step.kind === 'rows') rows.push(index);
    else {
      segments.push({ steps: rows, whole: index });
      rows = [];
    }
  }
  return [...segments, { steps: rows, whole: null }];
}

interface PlanRunRequest {
  readonly segment: Segment | undefined;
  readonly steps: readonly OpenedStep[];
  readonly keys: readonly string[];
  readonly chain: string;
}

/** Names what a worker is to make of a batch: each name hangs on all that went before. */
function planRun({ segment, steps, keys, chain: from }: PlanRunRequest) {
  let chain = from;
  const planned = (segment?.steps ?? []).map((index) => {
    chain = link(chain, keys[index] ?? '');
    return { index, delta: `${chain}.delta` };
  });
  const whole = segment?.whole ?? null;
  const step = whole === null ? undefined : steps[whole]?.step;
  const wantsFeature = step?.kind === 'whole' && step.featureBytes > 0 && whole !== null;
  const feature = wantsFeature ? { index: whole, file: `${link(chain, keys[whole] ?? '')}.feature` } : null;
  const run: StepRun = { steps: planned, feature };
  return { run, chain, deltas: planned.map(({ delta }) => delta) };
}

const link = (chain: string, next: string): string => hash('sha256', `${chain} ${next}`);

/** Under its content, so that equal decisions lead to equal names. */
async function saveDelta(cache: Cache, ...[prefix, delta]: [prefix: string, delta: Delta]): Promise<string> {
  const bytes = encodeDelta(delta);
  const name = `${link(prefix, hash('sha256', bytes))}.delta`;
  const known = await cache.read(name);
  if (!known?.equals(bytes)) await cache.write(name, bytes);
  return name;
}

interface RunSegmentRequest extends Omit<PlanRunRequest, 'chain' | 'segment'> {
  readonly segment: Segment;
  readonly batches: readonly BatchState[];
  readonly pool: WorkerPool;
  /** Filled in. */
  readonly files: Set<string>;
  readonly signal: AbortSignal | undefined;
  readonly onDone: (numbers: readonly number[]) => void;
}

async function runSegment({
  segment,
  batches,
  pool,
  keys,
  steps,
  files,
  signal,
  onDone,
}: RunSegmentRequest): Promise<void> {
  if (segment.steps.length === 0 && segment.whole === null) return;
  const next = batches.values();
  const lane = async (): Promise<void> => {
    for (const batch of next) {
      signal?.throwIfAborted();
      const { run, chain, deltas } = planRun({ segment, steps, keys, chain: batch.chain });
      if (run.steps.length === 0 && run.feature === null) continue;
      const before = [...batch.deltas];
      const { dropped, done } = await pool.run({ kind: 'steps', part: batch.part, before, run });
      onDone(done);
      for (const row of dropped) batch.dead[row] = 1;
      batch.deltas.push(...deltas);
      batch.chain = chain;
      batch.feature = run.feature?.file ?? null;
      if (run.feature) files.add(run.feature.file);
    }
  };
  await Promise.all(Array.from({ length: pool.width * 2 }, lane));
}

interface RunWholeRequest {
  readonly cache: Cache;
  readonly batches: readonly BatchState[];
  readonly sources: readonly OpenedSource[];
  /** Filled in. */
  readonly files: Set<string>;
  readonly step: OpenedStep;
  readonly key: string;
}

/** Decides about all rows; gives the order of rows (numbered among all rows read) when the step makes one. */
async function runWhole({
  cache,
  batches,
  sources,
  files,
  step: { step },
  key,
}: RunWholeRequest): Promise<{ readonly isKnown: boolean; readonly order?: Uint32Array }> {
  if (step.kind !== 'whole') throw new Error('a step that looks at one row at a time decides nothing about all');
  const all = createHash('sha256').update(key);
  for (const { chain, dead } of batches) all.update(chain).update(dead);
  const memo = `${all.digest('hex')}.whole`;
  files.add(memo);
  const known = await knownNames(cache, memo, batches.length);
  const live = liveNumbers(batches);
  const verdict: WholeVerdict = known
    ? { drops: [] }
    : step.decide(await cachedRows({ cache, batches, live, sources, width: step.featureBytes }));
  const names = known ?? (await saveDrops({ cache, batches, live, verdict, key }));
  for (const [index, batch] of batches.entries()) {
    const name = names[index] ?? '';
    if (known) await markDead(cache, batch, name);
    batch.deltas.push(name);
    batch.chain = link(batch.chain, name);
  }
  if (!verdict.order) {
    if (!known) await cache.write(memo, Buffer.from(JSON.stringify(names)));
    return { isKnown: known !== undefined };
  }
  const rank = verdict.order;
  const positions = new Uint32Array(live.length);
  for (let row = 0; row < live.length; row++) positions[rank[row] ?? 0] = live[row] ?? 0;
  return { isKnown: false, order: positions };
}

async function knownNames(cache: Cache, ...[memo, count]: [string, number]): Promise<readonly string[] | undefined> {
  const bytes = await cache.read(memo);
  if (!bytes) return undefined;
  try {
    const names = JSON.parse(bytes.toString()) as readonly string[];
    if (names.length !== count) return undefined;
    for (const name of names) if (!decodeDelta((await cache.read(name)) ?? Buffer.alloc(0))) return undefined;
    return names;
  } catch {
    return undefined;
  }
}

async function markDead(cache: Cache, ...[batch, name]: [BatchState, string]): Promise<void> {
  const delta = decodeDelta((await cache.read(name)) ?? Buffer.alloc(0));
  for (const { row, drop } of delta?.rows ?? []) if (drop) batch.dead[row] = 1;
}

/** The numbers of `order` that are among `live`, in their order. */
function stillThere(order: Uint32Array, live: Uint32Array): Uint32Array {
  const isLive = new Uint8Array(order.reduce((most, number) => Math.max(most, number + 1), 0));
  for (const number of live) isLive[number] = 1;
  return order.filter((number) => isLive[number] === 1);
}

interface SaveDropsRequest extends DropsRequest {
  readonly cache: Cache;
  readonly key: string;
}

/** The drops of a whole step, batch by batch; gives the names of their deltas. */
async function saveDrops({ cache, batches, live, verdict, key }: SaveDropsRequest): Promise<readonly string[]> {
  const names: string[] = [];
  for (const rows of dropsByBatch({ batches, live, verdict }))
    names.push(await saveDelta(cache, key, { rows, samples: Buffer.alloc(0) }));
  return names;
}
