import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { expect } from 'vitest';
import { randomStream } from '../../src/core/random.ts';
import { hashFolder } from '../../src/store/files.ts';
import { writeTinyModel } from '../../src/testing/tiny-model.ts';
import { startMartlet } from './tiny-recipe.ts';

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

export interface InterruptedShards {
  readonly recipe: string;
  /** A store with the dataset, which is copied. */
  readonly from: string;
  readonly store: string;
  readonly seed: number;
  /** It is killed within so many milliseconds of its start. */
  readonly withinMs: number;
  readonly times: number;
  readonly flags?: readonly string[];
}

/** `martlet shard`, killed at seeded moments; with another number of threads each time. @returns how often it was killed. */
export async function shardInterrupted(request: InterruptedShards): Promise<number> {
  const { store, recipe, times, withinMs, flags = [] } = request;
  await cp(request.from, store, { recursive: true });
  const random = randomStream(request.seed);
  const args = () => [
    ...['--store', store, 'shard', recipe, ...flags],
    ...['--set', `execution.threads=${1 + random.below(2)}`],
  ];
  for (let killed = 0; killed < times; killed++) {
    const run = startMartlet(args());
    await Promise.race([after(random.uniform() * withinMs), run.ended]);
    run.child.kill('SIGKILL');
    const { code, signal, err } = await run.ended;
    if (code === 0) return killed;
    expect(signal, err).toBe('SIGKILL');
  }
  const last = await startMartlet(args()).ended;
  expect(last.code, last.err).toBe(0);
  return times;
}

/** sha-256 of the files that hold the shards. */
export async function shardFilesIn(store: string): Promise<Readonly<Record<string, string>>> {
  return hashFolder(join(store, 'shards/tiny@1'), { except: ['lineage.json'] });
}
