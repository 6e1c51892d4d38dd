import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { hashFolder } from '../../src/store/files/files.ts';
import { writeTinyModel } from '../../src/testing/tiny-model.ts';
import { type KilledStage, killAgainAndAgain, workBytes } from './killed-stage.ts';
import { recipeText, rowsOf } from './streaming.ts';
import { startMartlet } from './tiny-recipe.ts';

/** A packed source and a plain one, of so many rows each, and the recipe that reads them: in two passes. */
export async function writeStreamedSources(folder: string, rows: number): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeTinyModel(join(folder, 'model'), { seed: 1, headDim: 16 });
  await writeFile(join(folder, 'packed.jsonl.gz'), gzipSync(rowsOf(1, rows)));
  await writeFile(join(folder, 'plain.jsonl'), rowsOf(2, rows));
  const recipe = join(folder, 'recipe.yaml');
  await writeFile(recipe, recipeText('{ from: packed.jsonl.gz }, { from: plain.jsonl }'));
  return recipe;
}

export interface BuildKills {
  readonly killed: number;
  /** Kills that left something to go on from. */
  readonly withJournal: number;
}

/** `martlet data build` of a dataset that keeps no rows, killed at seeded moments. */
export async function streamedBuildInterrupted(
  recipe: string,
  request: Omit<KilledStage, 'command' | 'onKilled'>,
): Promise<BuildKills> {
  const command = ['data', 'build', recipe, '--set', 'execution.diskGiB=1'];
  let withJournal = 0;
  const onKilled = async (): Promise<void> => {
    if ((await workBytes(request.store)) > 0) withJournal++;
  };
  const killed = await killAgainAndAgain({ ...request, command, onKilled });
  return { killed, withJournal };
}

/** The same, undisturbed. @returns how long it took */
export async function streamedBuildMs(recipe: string, store: string): Promise<number> {
  const began = performance.now();
  const command = ['data', 'build', recipe, '--set', 'execution.diskGiB=1'];
  const run = await startMartlet(['--store', store, ...command]).ended;
  if (run.code !== 0) throw new Error(run.err);
  return performance.now() - began;
}

/** sha-256 of the files of the dataset. */
export const datasetFilesIn = (store: string): Promise<Readonly<Record<string, string>>> =>
  hashFolder(join(store, 'datasets/tiny@1'), { except: ['lineage.json'] });
