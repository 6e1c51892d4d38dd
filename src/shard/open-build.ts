import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ShardSplit, type Shards, shardSplits } from '../schema/shards.ts';
import { createFileWriter } from '../store/files/file-writer.ts';
import { hasCode } from '../store/files/files.ts';
import { shardFiles } from '../store/shards/shard-layout.ts';
import type { EncodedBlock, LostRow } from './encode-block.ts';
import { createSplitWriter, type SplitProgress, type SplitWriter } from './split-writer.ts';

/** Beside the shards while they are built; gone when they are whole. */
const progressFile = 'progress.jsonl';

/** Blocks between two notes of how far it came: about 4 MB of rows. */
const noteEvery = 4;

/** A line of `progress.jsonl`: all files up to here were with the system when it was written. */
interface ProgressNote {
  readonly blocks: number;
  /** Of the dataset's `rows.jsonl`. */
  readonly bytes: number;
  readonly truncated: number;
  readonly split: number;
  readonly lost: readonly LostRow[];
  readonly splits: Readonly<Record<ShardSplit, SplitProgress>>;
}

export interface ShardBuild extends AsyncDisposable {
  readonly train: SplitWriter;
  readonly heldout: SplitWriter;
  /** Blocks that an interrupted build had written already. */
  readonly blocks: number;
  readonly lost: readonly LostRow[];
  truncated(): number;
  /** Rows that became several documents. */
  split(): number;
  rows(split: ShardSplit): number;
  add(block: EncodedBlock): Promise<void>;
  /** The last thing: from now on nothing of it can be taken up again. */
  finish(): Promise<void>;
}

/** Files under construction, from where a killed process left them. */
export async function openBuild(
  folder: string,
  { layout, streamed }: Pick<Shards, 'layout' | 'streamed'>,
): Promise<ShardBuild> {
  const notes = await readNotes(join(folder, progressFile));
  const last = notes.list.at(-1);
  if (!last) await removeParts(folder);
  const train = await createSplitWriter(folder, { split: 'train', layout, streamed, progress: last?.splits.train });
  const heldout = await createSplitWriter(folder, { split: 'heldout', layout, progress: last?.splits.heldout });
  const progress = await createFileWriter(join(folder, progressFile), { keepBytes: notes.bytes });
  const rows = { train: last?.splits.train.rows ?? 0, heldout: last?.splits.heldout.rows ?? 0 };
  const lost = notes.list.flatMap((note) => note.lost);
  let noted = lost.length;
  let truncated = last?.truncated ?? 0;
  let split = last?.split ?? 0;
  let blocks = last?.blocks ?? 0;
  let bytes = last?.bytes ?? 0;
  const close = async (): Promise<void> => {
    await train[Symbol.asyncDispose]();
    await heldout[Symbol.asyncDispose]();
    await progress.close();
  };
  return {
    train,
    heldout,
    blocks,
    lost,
    truncated: () => truncated,
    split: () => split,
    rows: (split) => rows[split],
    async add(block) {
      for (const split of shardSplits) {
        rows[split] += block.splits[split].rows;
        await (split === 'train' ? train : heldout).add(block.splits[split], bytes);
      }
      truncated += block.truncated;
      split += block.split;
      lost.push(...block.lost);
      blocks++;
      bytes += block.bytes;
      if (blocks % noteEvery !== 0) return;
      const splits = { train: await train.flush(), heldout: await heldout.flush() };
      await progress.writeJson({
        blocks,
        bytes,
        truncated,
        split,
        lost: lost.slice(noted),
        splits,
      } satisfies ProgressNote);
      await progress.flush();
      noted = lost.length;
    },
    async finish() {
      await close();
      await rm(join(folder, progressFile));
    },
    [Symbol.asyncDispose]: close,
  };
}

/** Whole lines only: the last one may be torn. */
async function readNotes(file: string): Promise<{ readonly list: readonly ProgressNote[]; readonly bytes: number }> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return { list: [], bytes: 0 };
    throw error;
  }
  const whole = bytes.subarray(0, bytes.lastIndexOf(10) + 1);
  const lines = whole
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '');
  return { list: lines.map((line) => JSON.parse(line) as ProgressNote), bytes: whole.length };
}

async function removeParts(folder: string): Promise<void> {
  for (const split of shardSplits)
    for (const name of Object.values(shardFiles(split))) await rm(join(folder, name), { force: true });
}
