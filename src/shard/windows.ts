import { type FileHandle, mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { formatBytes } from '../core/units.ts';
import type { Shards } from '../schema/shards.ts';
import type { StepWindow } from '../spec/train-engine.ts';
import { openShards, type ShardReader } from '../store/shard-reader.ts';
import { blockDocumentNumbers, type EncodeBlock, type EncodedRows } from './encode-block.ts';
import { createSplitWriter } from './split-writer.ts';

export interface ShardWindows extends AsyncDisposable {
  /** The window of a step; steps are asked for in their order. The next window is made meanwhile. Undefined once aborted. */
  holding(step: number): Promise<StepWindow | undefined>;
}

export interface OpenWindowsRequest {
  /** Streamed shards. */
  readonly shardsFolder: string;
  /** The dataset they were made of. */
  readonly datasetFolder: string;
  /** Where windows stand; what a killed process left there is removed. */
  readonly folder: string;
  readonly encode: EncodeBlock;
  /** What all windows that stand at once may take. */
  readonly diskBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Tokens of streamed shards, as training comes to them. At most two windows stand at once: the one in use, and the one
 * before it or after it. They hold what the shards would have held, so that their size changes no step.
 * @throws MartletError `shards-budget` when a step alone is too large.
 */
export async function openWindows(request: OpenWindowsRequest): Promise<ShardWindows> {
  const { folder, signal } = request;
  const reader = await openShards(request.shardsFolder);
  const starts = windowStarts(reader, request.diskBytes);
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

/** Beside ids and weights, a document has at most 7 numbers in tables. */
const documentBytes = 7 * 4;
/** The manifest, and files that are less than a block of the disk. */
const windowBytes = 2 ** 17;

/** First steps of windows of which two fit. */
function windowStarts(reader: ShardReader, diskBytes: number): readonly number[] {
  const room = diskBytes / 2 - windowBytes;
  const starts = [0];
  let taken = 0;
  for (let step = 0; step < reader.stepCount('train'); step++) {
    let bytes = 4;
    for (const index of reader.stepDocuments('train', step))
      bytes += reader.outline('train', index).tokens * 8 + documentBytes;
    if (bytes > room)
      throw new MartletError(
        'shards-budget',
        `step ${step + 1} takes ${formatBytes(bytes)}; of ${formatBytes(diskBytes)}, two such windows must fit`,
        { hint: `Raise execution.shardsGiB to ${gibAbove(2 * (bytes + windowBytes))}, or lower train.rowsPerStep.` },
      );
    if (taken + bytes > room) {
      starts.push(step);
      taken = 0;
    }
    taken += bytes;
  }
  return starts;
}

/** Rounded up, so that it is enough. */
const gibAbove = (bytes: number): number => Math.ceil((bytes / 2 ** 30) * 1e4) / 1e4;

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
  await using dataset = await open(join(request.datasetFolder, 'rows.jsonl'));
  for await (const rows of encodedRows(dataset, plan.rows, request)) await train.add(rows, 0);
  const splits: Shards['splits'] = {
    train: await train.finish(() => plan.steps),
    heldout: await heldout.finish(() => []),
  };
  const document: Shards = { ...manifest, streamed: false, splits, lost: [], truncated: 0, split: 0 };
  await writeFile(join(folder, 'shards.json'), `${JSON.stringify(document, null, 2)}\n`);
  return { folder, firstStep };
}

/** A row of a window: its line in the dataset, and the tokens of each of its documents. */
interface WindowRow {
  readonly start: number;
  readonly length: number;
  readonly documents: readonly number[];
}

interface WindowPlan {
  readonly rows: readonly WindowRow[];
  /** Rows of the window by pack, for each step. */
  readonly steps: readonly (readonly (readonly number[])[])[];
}

/** The packs stay as they are in the whole schedule; rows are counted anew, in the order they come. */
function planWindow(reader: ShardReader, firstStep: number, endStep: number): WindowPlan {
  const rows: { start: number; length: number; documents: number[] }[] = [];
  const places = new Map<number, number>();
  const localRow = (row: number): number => {
    const known = places.get(row);
    if (known !== undefined) return known;
    places.set(row, rows.length);
    return rows.push({ ...reader.lineOf(row), documents: [] }) - 1;
  };
  const rowsOfPack = (pack: Uint32Array): readonly number[] => {
    const documents = new Map<number, number[]>();
    for (const index of pack) {
      const { row, tokens } = reader.outline('train', index);
      documents.set(row, [...(documents.get(row) ?? []), tokens]);
    }
    return Array.from(documents, ([row, tokens]) => {
      const local = localRow(row);
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

/** Small enough that whoever shares the thread hardly waits. */
const blockBytes = 2 ** 16;

async function* encodedRows(
  dataset: FileHandle,
  ...[rows, { encode, signal, datasetFolder }]: [readonly WindowRow[], MakeWindowRequest]
): AsyncGenerator<EncodedRows> {
  const encodeUnchanged = (lines: Uint8Array) =>
    encode(lines).catch((error: unknown) => {
      throw error instanceof SyntaxError ? changed(datasetFolder, error) : error;
    });
  for (let from = 0; from < rows.length; ) {
    signal?.throwIfAborted();
    let to = from;
    let bytes = 0;
    while (to < rows.length && bytes < blockBytes) bytes += (rows[to++]?.length ?? 0) + 1;
    const wanted = rows.slice(from, to);
    const lines = Buffer.alloc(bytes, '\n');
    let at = 0;
    for (const { start, length } of wanted) {
      const { bytesRead } = await dataset.read(lines, at, length, start);
      if (bytesRead !== length) throw changed(datasetFolder);
      at += length + 1;
    }
    const { train } = (await encodeUnchanged(lines)).splits;
    if (!sameDocuments(train, wanted)) throw changed(datasetFolder);
    // Where rows come from stands in the shards themselves.
    yield { ...train, lines: new Uint8Array() };
    from = to;
  }
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

function changed(datasetFolder: string, cause?: unknown): MartletError {
  return new MartletError('dataset-changed', `rows of ${datasetFolder} are not what the shards were made of`, {
    cause,
    hint: 'A file was changed. Remove the shards, and build the dataset again.',
  });
}
