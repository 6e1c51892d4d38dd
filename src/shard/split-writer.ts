import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import type { ShardSplit, Shards } from '../schema/shards.ts';
import { createFileWriter, type FileWriter } from '../store/files/file-writer.ts';
import {
  documentNumbers,
  lineNumbers,
  promptNumbers,
  rowNumbers,
  shardFiles,
  unpackShardRow,
} from '../store/shards/shard-layout.ts';
import { blockDocumentNumbers, contentOrder, type EncodedRows } from './encode-block.ts';
import type { ScheduledRows } from './schedule.ts';

const maxTokens = 2 ** 32 - 1;

const bytesOf = (array: Uint32Array | Float32Array | BigUint64Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** How far the files of a split have come; enough to go on from after a kill. */
export interface SplitProgress {
  readonly rows: number;
  readonly documents: number;
  readonly tokens: number;
  readonly storedTokens: number;
  readonly learnedTokens: number;
  readonly longestTokens: number;
}

export interface SplitWriterOptions {
  readonly split: ShardSplit;
  readonly layout: Shards['layout'];
  /** Leaves the tokens out, and says where each row stands in the dataset instead. */
  readonly streamed?: boolean;
  /** Files of a build that was interrupted, as far as they are certain to be whole. */
  readonly progress?: SplitProgress | undefined;
}

/** Rows by pack, for each step. */
export type PackSteps = (rows: ScheduledRows) => Iterable<readonly (readonly number[])[]>;

export interface SplitWriter extends AsyncDisposable {
  /** @param start where the lines it was made of begin in the dataset's `rows.jsonl` */
  add(block: EncodedRows, start: number): Promise<void>;
  /** All of it with the system now, and how far that is. */
  flush(): Promise<SplitProgress>;
  /** Writes the schedule. Nothing can be added after it. */
  finish(steps: PackSteps): Promise<Shards['splits'][ShardSplit]>;
}

/** The files of one split. Tokens go straight to the disk; in memory stay four numbers a row. */
export async function createSplitWriter(
  folder: string,
  { split, layout, streamed = false, progress }: SplitWriterOptions,
): Promise<SplitWriter> {
  const names = shardFiles(split);
  const open = (name: string, keepBytes: number | undefined): Promise<FileWriter> =>
    createFileWriter(join(folder, name), { keepBytes });
  const kept = (numbers: number): number | undefined => progress && numbers * 4;
  const files = {
    ids: await open(names.ids, kept(progress?.storedTokens ?? 0)),
    weights: await open(names.weights, kept(progress?.storedTokens ?? 0)),
    documents: await open(names.documents, kept((progress?.documents ?? 0) * documentNumbers)),
    rows: await open(names.rows, kept((progress?.rows ?? 0) * rowNumbers)),
  };
  const prompts =
    layout === 'sequence' ? undefined : await open(names.prompts, kept((progress?.documents ?? 0) * promptNumbers));
  const places = streamed ? await open(names.lines, kept((progress?.rows ?? 0) * lineNumbers * 2)) : undefined;
  const writers = [files.ids, files.weights, files.documents, files.rows, prompts, places].filter(
    (file) => file !== undefined,
  );
  const close = async (): Promise<void> => {
    for (const file of writers) await file.close();
  };

  const totals = progress
    ? { ...progress }
    : { rows: 0, documents: 0, tokens: 0, storedTokens: 0, learnedTokens: 0, longestTokens: 0 };
  const table = progress ? await readRowTable(folder, { split, layout, progress }) : emptyTable();

  return {
    async add({ rows, documents, ids, weights, order, table: inTable, places: inBlock }, start) {
      const count = documents.length / blockDocumentNumbers;
      if (!streamed && totals.storedTokens + ids.length > maxTokens)
        throw new MartletError('shards-too-large', `the ${split} rows have more than ${maxTokens} tokens`, {
          hint: 'Stream them: execution.diskGiB.',
        });
      const written = new Uint32Array(count * documentNumbers);
      const before = new Uint32Array(count * promptNumbers);
      for (let index = 0; index < count; index++) {
        const at = index * blockDocumentNumbers;
        const [row = 0, first = 0, own = 0, prompt = 0, shared = 0, learned = 0] = documents.subarray(
          at,
          at + blockDocumentNumbers,
        );
        const globalRow = totals.rows + row;
        written.set([globalRow, streamed ? 0 : totals.storedTokens + first, own, globalRow], index * documentNumbers);
        before.set([streamed || shared === 0 ? 0 : totals.storedTokens + prompt, shared], index * promptNumbers);
        addDocument(table, { row: globalRow, document: totals.documents + index, tokens: own + shared });
        totals.tokens += own + shared;
        totals.learnedTokens += learned;
        totals.longestTokens = Math.max(totals.longestTokens, own + shared);
      }
      for (const value of order) table.order.push(value);
      totals.rows += rows;
      totals.documents += count;
      await files.documents.write(bytesOf(written));
      await prompts?.write(bytesOf(before));
      await files.rows.write(bytesOf(inTable));
      if (places) {
        await places.write(
          bytesOf(BigUint64Array.from(inBlock, (value, at) => BigInt(at % lineNumbers === 0 ? start + value : value))),
        );
        return;
      }
      totals.storedTokens += ids.length;
      await files.ids.write(bytesOf(ids));
      await files.weights.write(bytesOf(weights));
    },
    async flush() {
      for (const file of writers) await file.flush();
      return { ...totals };
    },
    async finish(steps) {
      await close();
      const counts = await writeSchedule(folder, { split, table, documents: totals.documents, steps });
      return { ...totals, ...counts };
    },
    [Symbol.asyncDispose]: close,
  };
}

/** By row: its tokens, its first document, and two numbers that order it. */
interface RowTable {
  readonly tokens: number[];
  readonly firstDocument: number[];
  readonly order: number[];
}

const emptyTable = (): RowTable => ({ tokens: [], firstDocument: [], order: [] });

function addDocument(
  { tokens, firstDocument }: RowTable,
  document: { readonly row: number; readonly document: number; readonly tokens: number },
): void {
  firstDocument[document.row] ??= document.document;
  tokens[document.row] = (tokens[document.row] ?? 0) + document.tokens;
}

interface ReadTableRequest extends SplitWriterOptions {
  readonly progress: SplitProgress;
}

/** What the files of an interrupted build say of their rows. */
async function readRowTable(folder: string, { split, layout, progress }: ReadTableRequest): Promise<RowTable> {
  const names = shardFiles(split);
  const numbers = async (name: string, count: number): Promise<Uint32Array> => {
    const bytes = await readFile(join(folder, name));
    return new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + count * 4));
  };
  const table = emptyTable();
  const documents = await numbers(names.documents, progress.documents * documentNumbers);
  const prompts = layout === 'sequence' ? null : await numbers(names.prompts, progress.documents * promptNumbers);
  for (let index = 0; index < progress.documents; index++) {
    const row = documents[index * documentNumbers] ?? 0;
    const own = documents[index * documentNumbers + 2] ?? 0;
    addDocument(table, { row, document: index, tokens: own + (prompts?.[index * promptNumbers + 1] ?? 0) });
  }
  const rows = await numbers(names.rows, progress.rows * rowNumbers);
  for (let at = 0; at < rows.length; at += rowNumbers)
    table.order.push(...contentOrder(unpackShardRow(rows.subarray(at, at + rowNumbers)).id));
  return table;
}

interface WriteScheduleRequest {
  readonly steps: PackSteps;
  readonly split: ShardSplit;
  readonly table: RowTable;
  readonly documents: number;
}

async function writeSchedule(folder: string, request: WriteScheduleRequest): Promise<{ packs: number; steps: number }> {
  const { split, table, documents } = request;
  const names = shardFiles(split);
  const create = async (name: string): Promise<FileWriter> => {
    // An interrupted build may have come this far.
    await rm(join(folder, name), { force: true });
    return createFileWriter(join(folder, name));
  };
  await using schedule = await create(names.schedule);
  await using packs = await create(names.packs);
  await using steps = await create(names.steps);
  const numbers = (file: FileWriter, ...values: readonly number[]): Promise<void> =>
    file.write(bytesOf(Uint32Array.from(values)));
  const counts = { packs: 0, steps: 0 };
  let scheduled = 0;
  for (const step of request.steps({ order: contentSorted(table), tokens: table.tokens })) {
    for (const rows of step) {
      const indices = rows.flatMap((row) => documentsOfRow(table, { row, documents }));
      await numbers(schedule, ...indices);
      scheduled += indices.length;
      await numbers(packs, scheduled);
      counts.packs++;
    }
    await numbers(steps, counts.packs);
    counts.steps++;
  }
  return counts;
}

function documentsOfRow(
  { firstDocument }: RowTable,
  of: { readonly row: number; readonly documents: number },
): number[] {
  const first = firstDocument[of.row] ?? 0;
  const end = firstDocument[of.row + 1] ?? of.documents;
  return Array.from({ length: end - first }, (_, index) => first + index);
}

/** Rows by content: the same whatever order the files, or the rows in them, stood in. */
function contentSorted({ tokens, order }: RowTable): Uint32Array {
  const key = (row: number, part: number): number => order[row * 2 + part] ?? 0;
  return Uint32Array.from(tokens.keys()).sort((a, b) => key(a, 0) - key(b, 0) || key(a, 1) - key(b, 1) || a - b);
}
