import { join } from 'node:path';
import { expect } from 'vitest';
import { randomStream } from '../../src/core/random.ts';
import { openShards } from '../../src/store/shards/shard-reader.ts';
import { startMartlet } from './tiny-recipe.ts';

/** Rows some of which are equal, or become equal by a step, or cannot be read. */
export function rowsOf(seed: number, count: number): string {
  const random = randomStream(seed);
  const words = (most: number): string =>
    Array.from({ length: 4 + random.below(most) }, () => `w${random.below(4000)}`).join(' ');
  const chat = (question: string, answer: string): string =>
    JSON.stringify({
      messages: [
        { role: 'user', content: question },
        { role: 'assistant', content: answer },
      ],
    });
  return Array.from({ length: count }, (_, line) => {
    const kind = random.below(30);
    if (kind === 0) return '{"messages": [\n';
    if (kind < 4) return `${chat(`asked often ${random.below(30)}`, `the same${kind === 1 ? '\u0007' : ''}`)}\n`;
    return `${chat(`${words(30)} ${seed}-${line}`, words(35))}\n`;
  }).join('');
}

/** A recipe `tiny` beside its model. */
export const recipeText = (sources: string): string =>
  [
    'name: tiny',
    'base: ./model',
    'data:',
    `  sources: [${sources}]`,
    '  steps: [clean]',
    '  budget: { dropped: 0.1 }',
    '  split: { share: 0.02 }',
    'adapter: { kind: lora, rank: 4, dropout: 0.1 }',
    'train: { epochs: 2, rowsPerStep: 96, maxSteps: 24, checkpointEvery: 4, learningRate: 1e-2 }',
    '',
  ].join('\n');

export interface Place {
  readonly store: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a command to its end. @returns what it wrote */
export async function martlet(store: string | Place, ...args: readonly string[]): Promise<string> {
  const place = typeof store === 'string' ? { store } : store;
  const run = await startMartlet(['--store', place.store, ...args], { env: place.env }).ended;
  expect(run.code, run.err).toBe(0);
  return run.out;
}

/** All that a walk keeps of the corpus. */
export const corpusFolders = (store: string): string[] => [
  ...['cache', 'datasets', 'shards', 'work'].map((name) => join(store, name)),
  join(store, 'runs/tiny@1/.windows'),
];

/** What each step computes: which rows, in which packs. */
export async function stepsIn(store: string): Promise<readonly unknown[]> {
  using reader = await openShards(join(store, 'shards/tiny@1'));
  return Array.from({ length: reader.stepCount('train') }, (_, step) =>
    reader.stepPacks('train', step).map((pack) => Array.from(pack, (index) => reader.outline('train', index))),
  );
}
