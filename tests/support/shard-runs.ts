import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomStream } from '../../src/core/random.ts';
import { hashFolder } from '../../src/store/files/files.ts';
import { writeTinyModel } from '../../src/testing/tiny-model.ts';
import { type KilledStage, killAgainAndAgain } from './killed-stage.ts';

export interface ManyRows {
  /** Whose sources stand in this order. */
  readonly recipes: Readonly<Record<string, readonly string[]>>;
  readonly rowsPerSource: number;
}

/** Sources `a`, `b` and `c` of rows that differ, and recipes that read them. @returns the file of each recipe. */
export async function writeManyRows(
  folder: string,
  { recipes, rowsPerSource }: ManyRows,
): Promise<Record<string, string>> {
  await mkdir(folder, { recursive: true });
  await writeTinyModel(join(folder, 'model'), { seed: 1, headDim: 16 });
  for (const [index, source] of ['a', 'b', 'c'].entries()) {
    const random = randomStream(500 + index);
    const words = (): string => Array.from({ length: 3 + random.below(25) }, () => `w${random.below(5000)}`).join(' ');
    const lines = Array.from({ length: rowsPerSource }, (_, line) =>
      JSON.stringify({
        messages: [
          { role: 'user', content: words() },
          { role: 'assistant', content: `${words()} ${source}${line}` },
        ],
      }),
    );
    await writeFile(join(folder, `${source}.jsonl`), `${lines.join('\n')}\n`);
  }
  const files: Record<string, string> = {};
  for (const [name, sources] of Object.entries(recipes)) {
    const from = sources.map((source) => `{ from: ${source}.jsonl }`).join(', ');
    files[name] = join(folder, `${name}.yaml`);
    const lines = [
      'name: tiny',
      'base: ./model',
      `data: { sources: [${from}] }`,
      'train: { epochs: 2, rowsPerStep: 32 }',
      '',
    ];
    await writeFile(files[name], lines.join('\n'));
  }
  return files;
}

export interface InterruptedShards extends Omit<KilledStage, 'command'> {
  readonly recipe: string;
  /** A store with the dataset, which is copied. */
  readonly from: string;
  readonly flags?: readonly string[];
}

/** `martlet shard`, killed at seeded moments. @returns how often it was killed. */
export async function shardInterrupted({ recipe, from, flags = [], ...request }: InterruptedShards): Promise<number> {
  await cp(from, request.store, { recursive: true });
  return killAgainAndAgain({ ...request, command: ['shard', recipe, ...flags] });
}

/** sha-256 of the files that hold the shards. */
export async function shardFilesIn(store: string): Promise<Readonly<Record<string, string>>> {
  return hashFolder(join(store, 'shards/tiny@1'), { except: ['lineage.json'] });
}
