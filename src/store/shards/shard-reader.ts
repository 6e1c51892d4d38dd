import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { invariant, MartletError } from '../../core/error.ts';
import { type ShardSplit, type Shards, shardSplits, shards } from '../../schema/shards.ts';
import { readDocument } from '../read-document.ts';
import {
  documentNumbers,
  lineNumbers,
  promptNumbers,
  requireLittleEndian,
  rowNumbers,
  type ShardRow,
  shardFiles,
  unpackShardRow,
} from './shard-layout.ts';

/** One document. The arrays are views: they are not to be written to. */
export interface ShardDocument {
  readonly index: number;
  readonly ids: Uint32Array;
  readonly weights: Float32Array;
  /** How many of its first tokens are the prompt that its group shares; they are computed once where an engine can. */
  readonly promptTokens: number;
  /** Its row in `<split>.rows.u32`. */
  readonly row: number;
  /** Documents of one row share it. */
  readonly group: number;
}

/** A document without its tokens. */
export interface DocumentOutline extends Pick<ShardDocument, 'row' | 'group' | 'promptTokens'> {
  /** With its prompt. */
  readonly tokens: number;
}

/** Documents computed at once; none sees another. */
export interface Pack {
  readonly documents: readonly ShardDocument[];
}

export interface ShardReader extends Disposable {
  readonly manifest: Shards;
  /** Steps of the whole schedule; 1 for held-out documents, 0 when there are none. */
  stepCount(split: ShardSplit): number;
  packsOf(split: ShardSplit, step: number): readonly Pack[];
  /** Indices of the documents of a step, in the order they are trained. */
  stepDocuments(split: ShardSplit, step: number): Uint32Array;
  /** Indices of the documents of each pack of a step. */
  stepPacks(split: ShardSplit, step: number): readonly Uint32Array[];
  /** @throws MartletError `shards-streamed` for a document whose tokens are made while training */
  document(split: ShardSplit, index: number): ShardDocument;
  outline(split: ShardSplit, index: number): DocumentOutline;
  /** Where a training row of streamed shards stands in the dataset's `rows.jsonl`, in bytes. */
  lineOf(row: number): { readonly start: number; readonly length: number };
  /** The row that a document was made of. */
  rowOf(split: ShardSplit, documentIndex: number): ShardRow;
  /** All rows, in their order. Memory: a few thousand. */
  rows(split: ShardSplit): Iterable<ShardRow>;
  close(): void;
}

export interface OpenShardsOptions {
  /** Token files up to this size are read whole; of larger ones, a document at a time. */
  readonly wholeFileBytes?: number;
}

/**
 * Shards for reading: by step, by document, and back to the row. Tables are held in memory, tokens where they are few.
 * @throws MartletError `shards-unreadable` when a file is missing, has another size than the manifest says, or points
 * outside another.
 */
export async function openShards(folder: string, options: OpenShardsOptions = {}): Promise<ShardReader> {
  requireLittleEndian();
  const manifest = await readManifest(folder);
  const open = {
    train: openSplit(folder, { split: 'train', manifest, ...options }),
    heldout: openSplit(folder, { split: 'heldout', manifest, ...options }),
  };
  const close = (): void => {
    for (const split of shardSplits) open[split].close();
  };
  return {
    manifest,
    stepCount: (split) => open[split].steps.length,
    packsOf: (split, step) => open[split].packsOf(step),
    stepDocuments: (split, step) => open[split].stepDocuments(step),
    stepPacks: (split, step) => open[split].stepPacks(step),
    document: (split, index) => open[split].document(index),
    outline: (split, index) => open[split].outline(index),
    lineOf: (row) => open.train.lineOf(row),
    rowOf: (split, index) => open[split].rowOf(index),
    rows: (split) => open[split].rows(),
    close,
    [Symbol.dispose]: close,
  };
}

export function heldOutDocuments(reader: ShardReader): readonly ShardDocument[] {
  const { documents } = reader.manifest.splits.heldout;
  return Array.from({ length: documents }, (_, index) => reader.document('heldout', index));
}

async function readManifest(folder: string): Promise<Shards> {
  const file = join(folder, 'shards.json');
  try {
    return await readDocument(file, shards);
  } catch (cause) {
    if (MartletError.is(cause)) throw cause;
    throw unreadable(file, 'cannot be read', cause);
  }
}

function unreadable(file: string, what: string, cause?: unknown): MartletError {
  return new MartletError('shards-unreadable', `${file} ${what}`, { cause, hint: 'Build the shards again.' });
}

interface OpenSplitRequest extends OpenShardsOptions {
  readonly split: ShardSplit;
  readonly manifest: Shards;
}

function openSplit(folder: string, { split, manifest, wholeFileBytes = 256 * 2 ** 20 }: OpenSplitRequest) {
  const counts = manifest.splits[split];
  const names = shardFiles(split);
  const path = (part: keyof typeof names): string => join(folder, names[part]);
  const streamed = manifest.streamed && split === 'train';
  /** Where there are no tokens, nothing points to any. */
  const outside = (first: number, length: number): boolean =>
    streamed ? first !== 0 : first + length > counts.storedTokens;
  const table = (
    part: 'documents' | 'prompts' | 'schedule' | 'packs' | 'steps',
    length: number | null,
  ): Uint32Array => {
    const numbers = readTable(path(part));
    if (length !== null && numbers.length !== length)
      throw unreadable(path(part), `holds ${numbers.length} numbers, where the manifest says ${length}`);
    return numbers;
  };
  const documents = table('documents', counts.documents * documentNumbers);
  const prompts = manifest.layout === 'sequence' ? null : table('prompts', counts.documents * promptNumbers);
  const packs = table('packs', counts.packs);
  const steps = table('steps', counts.steps);
  const schedule = table('schedule', null);
  checkEnds(path('steps'), steps, counts.packs);
  checkEnds(path('packs'), packs, schedule.length);
  for (const index of schedule)
    if (index >= counts.documents) throw unreadable(path('schedule'), `names document ${index} of ${counts.documents}`);
  for (let at = 0; at < documents.length; at += documentNumbers) {
    const [row = 0, first = 0, length = 0] = documents.subarray(at, at + documentNumbers);
    if (row >= counts.rows || outside(first, length))
      throw unreadable(path('documents'), `points outside the rows or tokens in document ${at / documentNumbers}`);
  }
  for (let at = 0; prompts && at < prompts.length; at += promptNumbers)
    if (outside(prompts[at] ?? 0, prompts[at + 1] ?? 0))
      throw unreadable(path('prompts'), `points outside the tokens in document ${at / promptNumbers}`);
  const ids = numberFile(path('ids'), { count: counts.storedTokens, wholeFileBytes });
  const weights = numberFile(path('weights'), { count: counts.storedTokens, wholeFileBytes });
  const rows = numberFile(path('rows'), { count: counts.rows * rowNumbers, wholeFileBytes: 0 });
  const lines = streamed ? readLines(path('lines'), counts.rows) : null;

  const end = (ends: Uint32Array, index: number): number => (index < 0 ? 0 : (ends[index] ?? 0));
  const entry = (index: number) => {
    invariant(index >= 0 && index < counts.documents, `document ${index} of ${counts.documents} was asked for`);
    const at = index * documentNumbers;
    const [row = 0, first = 0, length = 0, group = 0] = documents.subarray(at, at + documentNumbers);
    const [promptFirst = 0, promptTokens = 0] =
      prompts?.subarray(index * promptNumbers, (index + 1) * promptNumbers) ?? [];
    return { row, first, length, group, promptFirst, promptTokens };
  };
  const outline = (index: number): DocumentOutline => {
    const { row, group, length, promptTokens } = entry(index);
    return { row, group, promptTokens, tokens: promptTokens + length };
  };
  const document = (index: number): ShardDocument => {
    if (streamed)
      throw new MartletError('shards-streamed', `the tokens of training rows are not kept in ${folder}`, {
        hint: 'They are made while training. Leave out execution.diskGiB to keep them.',
      });
    const { row, first, length, group, promptFirst, promptTokens } = entry(index);
    const own = {
      ids: new Uint32Array(...ids.range(first, length)),
      weights: new Float32Array(...weights.range(first, length)),
    };
    if (promptTokens === 0) return { index, ...own, promptTokens, row, group };
    const whole = { ids: new Uint32Array(promptTokens + length), weights: new Float32Array(promptTokens + length) };
    whole.ids.set(new Uint32Array(...ids.range(promptFirst, promptTokens)));
    whole.ids.set(own.ids, promptTokens);
    whole.weights.set(new Float32Array(...weights.range(promptFirst, promptTokens)));
    whole.weights.set(own.weights, promptTokens);
    return { index, ...whole, promptTokens, row, group };
  };
  const checkStep = (step: number): void =>
    invariant(step >= 0 && step < steps.length, `step ${step} of ${steps.length} was asked for (${split})`);
  const stepPacks = (step: number): readonly Uint32Array[] => {
    checkStep(step);
    const from = end(steps, step - 1);
    return Array.from({ length: end(steps, step) - from }, (_, pack) =>
      schedule.subarray(end(packs, from + pack - 1), end(packs, from + pack)),
    );
  };
  return {
    steps,
    document,
    outline,
    stepPacks,
    stepDocuments(step: number): Uint32Array {
      checkStep(step);
      return schedule.subarray(end(packs, end(steps, step - 1) - 1), end(packs, end(steps, step) - 1));
    },
    packsOf: (step: number): readonly Pack[] =>
      stepPacks(step).map((pack) => ({ documents: Array.from(pack, document) })),
    rowOf: (index: number): ShardRow =>
      unpackShardRow(new Uint32Array(...rows.range(entry(index).row * rowNumbers, rowNumbers))),
    *rows(): Generator<ShardRow> {
      for (let first = 0; first < counts.rows; first += rowsAtOnce) {
        const count = Math.min(rowsAtOnce, counts.rows - first);
        const numbers = new Uint32Array(...rows.range(first * rowNumbers, count * rowNumbers));
        for (let at = 0; at < numbers.length; at += rowNumbers)
          yield unpackShardRow(numbers.subarray(at, at + rowNumbers));
      }
    },
    lineOf(row: number) {
      invariant(
        lines !== null && row >= 0 && row < counts.rows,
        `the line of row ${row} of ${counts.rows} was asked for`,
      );
      const [start = 0n, length = 0n] = lines.subarray(row * lineNumbers, (row + 1) * lineNumbers);
      return { start: Number(start), length: Number(length) };
    },
    close(): void {
      for (const file of [ids, weights, rows]) file.close();
    },
  };
}

/** Read together: 147 kB. */
const rowsAtOnce = 4096;

function readTable(file: string): Uint32Array {
  if (!existsSync(file)) throw unreadable(file, 'is missing');
  const bytes = readFileSync(file);
  if (bytes.length % 4 !== 0) throw unreadable(file, 'is cut off: its size is no multiple of 4');
  return new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

function readLines(file: string, rows: number): BigUint64Array {
  const halves = readTable(file);
  if (halves.length !== rows * lineNumbers * 2)
    throw unreadable(file, `holds ${halves.length * 4} bytes, where ${rows} rows take ${rows * lineNumbers * 8}`);
  return new BigUint64Array(halves.buffer);
}

/** Ends grow and the last one is `total`. */
function checkEnds(file: string, ends: Uint32Array, total: number): void {
  let before = 0;
  for (const end of ends) {
    if (end < before) throw unreadable(file, 'does not grow');
    before = end;
  }
  if (before !== total) throw unreadable(file, `ends at ${before}, not at ${total}`);
}

type Range = readonly [buffer: ArrayBuffer, byteOffset: number, length: number];

/** Four bytes a number; held whole from the first read on when it is small. */
function numberFile(file: string, { count, wholeFileBytes }: { count: number; wholeFileBytes: number }) {
  if (!existsSync(file)) throw unreadable(file, 'is missing');
  const descriptor = openSync(file, 'r');
  const size = fstatSync(descriptor).size;
  if (size !== count * 4) {
    closeSync(descriptor);
    throw unreadable(file, `has ${size} bytes, where the manifest says ${count * 4}`);
  }
  let whole: ArrayBuffer | undefined;
  let open = true;
  const read = (first: number, length: number): ArrayBuffer => {
    invariant(open, `${file} was read after it was closed`);
    const bytes = new Uint8Array(length * 4);
    for (let done = 0; done < bytes.length; ) {
      const got = readSync(descriptor, bytes, done, bytes.length - done, first * 4 + done);
      if (got === 0) throw unreadable(file, 'ends early');
      done += got;
    }
    return bytes.buffer;
  };
  return {
    range(first: number, length: number): Range {
      if (size > wholeFileBytes) return [read(first, length), 0, length];
      whole ??= read(0, count);
      return [whole, first * 4, length];
    },
    close(): void {
      if (open) closeSync(descriptor);
      open = false;
    },
  };
}
