import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBytes } from '../core/units.ts';
import type { Shards } from '../schema/shards.ts';
import type { StepWindow } from '../spec/train-engine.ts';
import { type DatasetRows, type LinePlace, rowsChanged } from '../store/dataset/dataset-rows.ts';
import { budgetFor, diskBudget, type FetchedBytes, fetchedRoom } from '../store/dataset/disk-budget.ts';
import { rowNumbers } from '../store/shards/shard-layout.ts';
import { openShards, type ShardReader } from '../store/shards/shard-reader.ts';
import { blockDocumentNumbers, type EncodeBlock, type EncodedRows } from './encode-block.ts';
import { createSplitWriter } from './split-writer.ts';

export interface ShardWindows extends AsyncDisposable {
  /** The window of a step; steps are asked for in their order. The next window is made meanwhile. Undefined once aborted. */
  holding(step: number): Promise<StepWindow | undefined>;
}

export interface WindowsDisk {
  /** What all that is kept of the corpus may take. */
  readonly bytes: number;
  /** What of it stands there already. All windows that stand at once have the rest, and files that are fetched. */
  readonly kept: number;
  readonly fetched: FetchedBytes;
}

export interface OpenWindowsRequest {
  /** Streamed shards. */
  readonly shardsFolder: string;
  /** Of the dataset they were made of. */
  readonly rows: DatasetRows;
  /** Where windows stand; what a killed process left there is removed. */
  readonly folder: string;
  readonly encode: EncodeBlock;
  readonly disk: WindowsDisk;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Tokens of streamed shards, as training comes to them. At most two windows stand at once: the one in use, and the one
 * before it or after it. They hold what the shards would have held, so that their size changes no step.
 * @throws MartletError `disk-budget` when a step alone is too large.
 */
export async function openWindows(request: OpenWindowsRequest): Promise<ShardWindows> {
  const { folder, signal } = request;
  const reader = await openShards(request.shardsFolder);
  const starts = windowStarts(reader, request.disk);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  const closing = new AbortController();
  const ended = AbortSignal.any([closing.signal, ...(signal ? [signal] : [])]);
  const made = new Map<number, Promise<StepWindow>>();
  const make = (index: number): Promise<StepWindow> => {
    const known = made.get(index);
    if (known) return known;
    const [firstStep = 0, endStep = reader.stepCount('train')] = starts.slice(index, index + 2);
    const making = makeWindow({ ...request, reader, firstStep, endStep, signal: ended });
    // Whoever asks for it is told; until then it is no unhandled failure.
    making.catch(() => undefined);
    made.set(index, making);
    return making;
  };
  const removeBefore = async (index: number): Promise<void> => {
    for (const [old, making] of made) {
      if (old >= index) continue;
      made.delete(old);
      await rm((await making).folder, { recursive: true });
    }
  };
  let current = -1;
  return {
    async holding(step) {
      const index = starts.findLastIndex((first) => first <= step);
      try {
        if (index !== current) {
          // The engine has the window before still open.
          await removeBefore(index - 1);
          current = index;
        } else {
          await removeBefore(index);
          if (index + 1 < starts.length) void make(index + 1);
        }
        return await make(index);
      } catch (error) {
        if (signal?.aborted) return undefined;
        throw error;
      }
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      await Promise.allSettled(made.values());
      reader.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Beside ids and weights, a document has at most 7 numbers in tables, and its row has its own. */
const documentBytes = (7 + rowNumbers) * 4;
/** The manifest, and files that are less than a block of the disk. */
const windowBytes = 2 ** 17;

/** First steps of windows of which two fit. @throws MartletError `disk-budget` */
export function windowStarts(reader: ShardReader, disk: WindowsDisk): readonly number[] {
  const beside = disk.kept + fetchedRoom(disk.bytes, disk.fetched);
  const room = (disk.bytes - beside) / 2 - windowBytes;
  const starts = [0];
  let taken = 0;
  let largest = 0;
  for (let step = 0; step < reader.stepCount('train'); step++) {
    let bytes = 4;
    for (const index of reader.stepDocuments('train', step))
      bytes += reader.outline('train', index).tokens * 8 + documentBytes;
    largest = Math.max(largest, bytes);
    if (taken + bytes > room) {
      starts.push(step);
      taken = 0;
    }
    taken += bytes;
  }
  const two = 2 * (largest + windowBytes);
  if (largest > room)
    throw diskBudget({
      needs: `two steps at once take up to ${formatBytes(two)} beside ${formatBytes(beside)} that stand there`,
      bytes: disk.bytes,
      enough: budgetFor(disk.kept + two, disk.fetched),
      or: 'lower train.rowsPerStep',
    });
  return starts;
}

interface MakeWindowRequest extends OpenWindowsRequest {
  readonly reader: ShardReader;
  readonly firstStep: number;
  readonly endStep: number;
}

async function makeWindow(request: MakeWindowRequest): Promise<StepWindow> {
  const { reader, firstStep, endStep } = request;
  const { manifest } = reader;
  const { layout } = manifest;
  const folder = join(request.folder, `step-${String(firstStep).padStart(6, '0')}`);
  await mkdir(folder);
  const plan = planWindow(reader, firstStep, endStep);
  await using train = await createSplitWriter(folder, { split: 'train', layout });
  await using heldout = await createSplitWriter(folder, { split: 'heldout', layout });
  for await (const rows of encodedRows(plan.rows, request)) await train.add(rows, 0);
  const splits: Shards['splits'] = {
    train: await train.finish(() => plan.steps),
    heldout: await heldout.finish(() => []),
  };
  const document: Shards = { ...manifest, streamed: false, splits, lost: [], truncated: 0, split: 0 };
  await writeFile(join(folder, 'shards.json'), `${JSON.stringify(document, null, 2)}\n`);
  return { folder, firstStep };
}

/** A row of a window: its line in the dataset, and the tokens of each of its documents. */
interface WindowRow extends LinePlace {
  readonly documents: readonly number[];
}

interface WindowPlan {
  readonly rows: readonly WindowRow[];
  /** Rows of the window by pack, for each step. */
  readonly steps: readonly (readonly (readonly number[])[])[];
}

/**
 * The packs stay as they are in the whole schedule; rows are counted anew, in the order of the dataset, so that it is read
 * from its beginning to its end.
 */
function planWindow(reader: ShardReader, firstStep: number, endStep: number): WindowPlan {
  const wanted = new Set<number>();
  for (let step = firstStep; step < endStep; step++)
    for (const index of reader.stepDocuments('train', step)) wanted.add(reader.outline('train', index).row);
  const numbers = Uint32Array.from(wanted).sort();
  const rows = Array.from(numbers, (row) => ({ ...reader.lineOf(row), documents: [] as readonly number[] }));
  const places = new Map(Array.from(numbers, (row, place) => [row, place]));
  const rowsOfPack = (pack: Uint32Array): readonly number[] => {
    const documents = new Map<number, number[]>();
    for (const index of pack) {
      const { row, tokens } = reader.outline('train', index);
      documents.set(row, [...(documents.get(row) ?? []), tokens]);
    }
    return Array.from(documents, ([row, tokens]) => {
      const local = places.get(row) ?? 0;
      const entry = rows[local];
      if (entry) entry.documents = tokens;
      return local;
    });
  };
  const steps = Array.from({ length: endStep - firstStep }, (_, step) =>
    reader.stepPacks('train', firstStep + step).map(rowsOfPack),
  );
  return { rows, steps };
}

async function* encodedRows(
  wanted: readonly WindowRow[],
  { encode, signal, rows }: MakeWindowRequest,
): AsyncGenerator<EncodedRows> {
  let at = 0;
  for await (const { bytes, lines } of rows.linesAt(wanted, signal)) {
    signal?.throwIfAborted();
    const { splits } = await encode(bytes).catch((error: unknown) => {
      throw error instanceof SyntaxError ? rowsChanged(error) : error;
    });
    if (!sameDocuments(splits.train, wanted.slice(at, at + lines))) throw rowsChanged();
    at += lines;
    yield splits.train;
  }
  if (at !== wanted.length) throw rowsChanged();
}

function sameDocuments({ rows, documents }: EncodedRows, wanted: readonly WindowRow[]): boolean {
  const tokens = wanted.flatMap((row) => row.documents);
  return (
    rows === wanted.length &&
    documents.length === tokens.length * blockDocumentNumbers &&
    tokens.every((count, index) => {
      const [, , own = 0, , shared = 0] = documents.subarray(index * blockDocumentNumbers);
      return own + shared === count;
    })
  );
}
