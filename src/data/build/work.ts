import { hash } from 'node:crypto';
import type { LedgerEntry } from '../../schema/dataset.ts';
import type { Sample } from '../../schema/sample.ts';
import { contentId } from '../content-id.ts';
import { formats } from '../formats.ts';
import { type ReadSourcesRequest, type RowReading, rowReader, type SourceRow } from '../read-sources.ts';
import type { OpenedSource } from '../sources.ts';
import { type OpenedStep, openSteps, type StepValues } from '../steps/open-steps.ts';
import type { RowVerdict } from '../steps/step.ts';
import { type Cache, openCache } from './cache.ts';
import { changedLines, type Delta, type DeltaRow, decodeDelta, encodeDelta } from './delta-file.ts';
import { decodePart, encodePart, lineOf, type OddRow, type Part, parseLine } from './part-file.ts';
import { textBuffer } from './text-buffer.ts';

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

/** Steps that look at one row at a time, one after the other, and the feature the next step wants of each row. */
export interface StepRun {
  readonly steps: readonly { readonly index: number; readonly delta: string }[];
  readonly feature: { readonly index: number; readonly file: string } | null;
}

export type Job = ReadJob | StepJob;

export interface JobResult {
  readonly rows: number;
  /** Rows that ended at these steps. */
  readonly dropped: Uint32Array;
  /** Of a read job: 1 for each row with a sample, its id, its line; and values of the split. */
  readonly read: {
    readonly kept: Uint8Array;
    readonly ids: Uint8Array;
    readonly filtered: Uint8Array;
    readonly lines: Float64Array;
    readonly splitValues: readonly string[];
  } | null;
}

export type Work = (job: Job) => Promise<JobResult>;

/** Does the jobs of one build, in this thread. Everything it makes goes through the cache. */
export async function openWork(settings: WorkSettings): Promise<Work> {
  const cache = openCache(settings.cacheFolder);
  const sources = settings.sources.map(openAgain);
  const read = rowReader(settings.request);
  const steps = await openSteps(settings.steps);
  return async (job) => {
    const { part, fresh } = await partOf(job);
    const before = job.kind === 'steps' ? await Promise.all(job.before.map((name) => deltaNamed(cache, name))) : [];
    const { dropped } = await runSteps({ cache, steps, part, before, run: job.run });
    return { rows: part.head.rows, dropped, read: job.kind === 'read' ? readResult(part, fresh ?? job.rows) : null };
  };

  async function partOf(job: Job): Promise<{ readonly part: Part; readonly fresh?: readonly SourceRow[] }> {
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

function readPart(
  rows: readonly SourceRow[],
  ...[sources, read, today]: [sources: readonly OpenedSource[], read: ReturnType<typeof rowReader>, today: string]
): Part {
  const samples = textBuffer();
  const ledger = textBuffer();
  const rowEnds = new Uint32Array(rows.length);
  const ledgerEnds = new Uint32Array(rows.length);
  const ids = Buffer.alloc(rows.length * 32);
  const odd: OddRow[] = [];
  const embargoes = new Set<string>();
  const splitValues = new Set<string>();
  const heldout: number[] = [];
  for (const [index, row] of rows.entries()) {
    const source = sources[row.source];
    if (!source) throw new Error(`no source ${row.source}`);
    const { bytes } = row.raw;
    // What crossed from another thread is a plain array of bytes.
    const raw = { ...row.raw, bytes: bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
    const reading = read(raw, source);
    if (reading.sample) samples.add(`${JSON.stringify(reading.sample)}\n`);
    ledger.add(`${JSON.stringify(ledgerEntryOf(reading, raw.file))}\n`);
    rowEnds[index] = samples.length;
    ledgerEnds[index] = ledger.length;
    if (reading.id !== null) ids.write(reading.id, index * 32, 'hex');
    // What a source gives again is no duplicate of itself.
    if (raw.copy !== undefined) ids.writeUInt32LE((ids.readUInt32LE(index * 32) ^ raw.copy) >>> 0, index * 32);
    if (reading.sample?.split === 'heldout') heldout.push(index);
    if (reading.splitValue !== null) splitValues.add(reading.splitValue);
    if (reading.sample?.provenance.embargo !== undefined) embargoes.add(reading.sample.provenance.embargo);
    if (reading.embargo !== null) embargoes.add(reading.embargo);
    if (!reading.sample || reading.changes.length > 0) odd.push([index, oddRow(reading)]);
  }
  const head = { rows: rows.length, today, embargoes: [...embargoes], splitValues: [...splitValues], heldout, odd };
  return { head, rows: samples.bytes(), rowEnds, ledger: ledger.bytes(), ledgerEnds, ids };
}

function oddRow({ fate, reason, embargo, changes, issues }: RowReading): OddRow[1] {
  const [issue = null] = issues;
  return { fate, reason, embargo, changes, issue: issue as OddRow[1]['issue'] };
}

export function ledgerEntryOf(reading: RowReading, file: string | undefined): LedgerEntry {
  const { source, line, sha256, fate, id, reason, changes, issues, sample } = reading;
  const code = sample ? null : (issues[0]?.code ?? fate);
  const place = { source, ...(file !== undefined && { file }), line };
  return { ...place, sha256, fate, step: sample ? null : 'read', code, id, reason, changes: [...changes] };
}

function readResult(part: Part, rows: readonly SourceRow[]): NonNullable<JobResult['read']> {
  const count = part.head.rows;
  const kept = new Uint8Array(count);
  for (let i = 0; i < count; i++) kept[i] = lineOf(part.rows, part.rowEnds, i).length > 0 ? 1 : 0;
  const filtered = new Uint8Array(count);
  for (const [row, { fate }] of part.head.odd) if (fate === 'filtered' || fate === 'limited') filtered[row] = 1;
  const lines = Float64Array.from(rows, ({ raw }) => raw.line);
  return { kept, ids: new Uint8Array(part.ids), filtered, lines, splitValues: part.head.splitValues };
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
async function runSteps({ cache, steps, part, before, run }: RunStepsRequest): Promise<{ dropped: Uint32Array }> {
  const live = liveRows(part);
  for (const delta of before) live.apply(delta);
  const dropped: number[] = [];
  for (const { index, delta: name } of run.steps) {
    const bytes = await cache.read(name);
    let delta = bytes && decodeDelta(bytes);
    if (!delta) {
      delta = deltaOf(live.samples(), stepAt(steps, index));
      await cache.write(name, encodeDelta(delta));
    }
    live.apply(delta);
    for (const { row, drop } of delta.rows) if (drop) dropped.push(row);
  }
  if (run.feature)
    await writeFeature({ cache, live, part, feature: run.feature, step: stepAt(steps, run.feature.index) });
  return { dropped: Uint32Array.from(dropped) };
}

function stepAt(steps: readonly OpenedStep[], index: number): OpenedStep {
  const step = steps[index];
  if (!step) throw new Error(`no step ${index}`);
  return step;
}

function liveRows(part: Part) {
  /** Lines of changed rows, null for those that ended. */
  const now = new Map<number, Buffer | null>();
  return {
    apply(delta: Delta): void {
      for (const [{ row }, line] of changedLines(delta)) now.set(row, line);
      for (const { row, drop } of delta.rows) if (drop) now.set(row, null);
    },
    *samples(): Generator<readonly [row: number, sample: Sample]> {
      for (let row = 0; row < part.head.rows; row++) {
        const changed = now.get(row);
        const line = changed === undefined ? lineOf(part.rows, part.rowEnds, row) : changed;
        if (line !== null && line.length > 0) yield [row, parseLine<Sample>(line)];
      }
    },
  };
}

function deltaOf(samples: Iterable<readonly [number, Sample]>, { name, step }: OpenedStep): Delta {
  if (step.kind !== 'rows') throw new Error(`${name} looks at all rows together`);
  const rows: DeltaRow[] = [];
  const lines = textBuffer();
  for (const [row, sample] of samples) {
    const verdict = step.apply(sample);
    if (verdict === null) continue;
    rows.push({ row, ...entryOf(verdict, lines) });
  }
  return { rows, samples: lines.bytes() };
}

function entryOf({ drop, changes, truncated, sample }: RowVerdict, lines: ReturnType<typeof textBuffer>) {
  const told = {
    ...(drop && { drop }),
    ...(changes && { changes }),
    ...(truncated && { truncated }),
  };
  if (!sample || drop) return told;
  const id = contentId(sample);
  lines.add(`${JSON.stringify({ ...sample, id })}\n`);
  return { ...told, id, end: lines.length };
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
  const bytes = new Uint8Array(part.head.rows * width);
  for (const [row, sample] of live.samples()) step.feature(sample, bytes.subarray(row * width, (row + 1) * width));
  await cache.write(feature.file, Buffer.concat([bytes, hash('sha256', bytes, 'buffer')]));
}

const checked = (bytes: Buffer): boolean =>
  hash('sha256', bytes.subarray(0, -32), 'buffer').equals(bytes.subarray(-32));
