import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import type { Sample } from '../schema/sample.ts';
import type { ShardRow, ShardSplit, Shards } from '../schema/shards.ts';
import { createFileWriter } from '../store/file-writer.ts';
import { shardFiles } from '../store/shard-layout.ts';
import type { Tokens } from './documents.ts';
import { packBestFit } from './pack.ts';

const maxTokens = 2 ** 32 - 1;

const bytesOf = (array: Uint32Array | Float32Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

export interface SplitWriter extends AsyncDisposable {
  addRow(sample: Sample, documents: readonly Tokens[]): Promise<void>;
  /** Packs each step's rows and writes the schedule. Nothing can be added after it. */
  finish(steps: Iterable<readonly number[]>): Promise<Shards['splits'][ShardSplit]>;
}

/** The files of one split. Tokens go straight to the disk; in memory stay two numbers a row. */
export async function createSplitWriter(
  folder: string,
  { split, packTokens }: { readonly split: ShardSplit; readonly packTokens: number },
): Promise<SplitWriter> {
  const names = shardFiles(split);
  const create = (name: string) => createFileWriter(join(folder, name));
  const files = {
    ids: await create(names.ids),
    weights: await create(names.weights),
    documents: await create(names.documents),
    rows: await create(names.rows),
    schedule: await create(names.schedule),
    packs: await create(names.packs),
    steps: await create(names.steps),
  };
  const numbers = (file: keyof typeof files, ...values: readonly number[]): Promise<void> =>
    files[file].write(bytesOf(Uint32Array.from(values)));
  const close = async (): Promise<void> => {
    for (const file of Object.values(files)) await file.close();
  };

  /** By row: its tokens, and its first document (one more at the end). */
  const rowTokens: number[] = [];
  const rowDocuments: number[] = [0];
  const totals = { documents: 0, tokens: 0, learnedTokens: 0, longestTokens: 0 };

  return {
    async addRow(sample, documents) {
      const row = rowTokens.length;
      let length = 0;
      for (const { ids, weights } of documents) {
        await numbers('documents', row, totals.tokens, ids.length, row);
        await files.ids.write(bytesOf(ids));
        await files.weights.write(bytesOf(weights));
        length += ids.length;
        totals.documents++;
        totals.tokens += ids.length;
        for (const weight of weights) if (weight > 0) totals.learnedTokens++;
        totals.longestTokens = Math.max(totals.longestTokens, ids.length);
      }
      if (totals.tokens > maxTokens)
        throw new MartletError('shards-too-large', `the ${split} rows have more than ${maxTokens} tokens`, {
          hint: 'Take fewer rows: data.sources[].limit.',
        });
      rowTokens.push(length);
      rowDocuments.push(totals.documents);
      const { source, file, line, sha256 } = sample.provenance;
      await files.rows.writeJson({ id: sample.id, source, file, line, sha256 } satisfies ShardRow);
    },
    async finish(steps) {
      const counts = { packs: 0, steps: 0 };
      let scheduled = 0;
      for (const rows of steps) {
        const sizes = rows.map((row) => rowTokens[row] ?? 0);
        for (const pack of packBestFit(sizes, packTokens)) {
          for (const row of pack.map((index) => rows[index] ?? 0)) {
            for (let index = rowDocuments[row] ?? 0; index < (rowDocuments[row + 1] ?? 0); index++) {
              await numbers('schedule', index);
              scheduled++;
            }
          }
          await numbers('packs', scheduled);
          counts.packs++;
        }
        await numbers('steps', counts.packs);
        counts.steps++;
      }
      await close();
      return { rows: rowTokens.length, ...totals, ...counts };
    },
    [Symbol.asyncDispose]: close,
  };
}
