import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { openSafetensors, writeSafetensors } from '../models/safetensors.ts';
import type { Model } from './model.ts';
import type { Trained } from './trained.ts';

export interface OptimizerState {
  readonly first: Float32Array;
  readonly second: Float32Array;
}

/** Both moments of every trained number, in the order of the trained parameters; `step` is in the metadata. */
export async function writeOptimizer(folder: string, state: OptimizerState, step: number): Promise<void> {
  const shape = [state.first.length];
  await writeSafetensors(
    join(folder, 'optimizer.safetensors'),
    [
      { name: 'exp_avg', dtype: 'F32', shape, data: state.first },
      { name: 'exp_avg_sq', dtype: 'F32', shape, data: state.second },
    ],
    { step: String(step) },
  );
}

export async function readOptimizer(folder: string, state: OptimizerState): Promise<number> {
  const file = await openSafetensors(join(folder, 'optimizer.safetensors'));
  try {
    if (file.info('exp_avg').shape[0] !== state.first.length)
      throw new MartletError(
        'checkpoint-mismatch',
        `${folder} holds ${file.info('exp_avg').shape[0]} moments; the plan trains ${state.first.length} numbers`,
        {
          hint: 'Resume with the plan the checkpoint was made by.',
        },
      );
    await file.readFloat32('exp_avg', state.first);
    await file.readFloat32('exp_avg_sq', state.second);
    return Number(file.metadata.step);
  } finally {
    await file.close();
  }
}

/** Every weight, and what else transformers needs to load the folder. */
export async function writeFullModel(request: {
  readonly folder: string;
  readonly baseFolder: string;
  readonly model: Model;
  readonly trained: Trained;
}): Promise<void> {
  const { parameters, values } = request.trained;
  await writeSafetensors(
    join(request.folder, 'model.safetensors'),
    parameters.entries.map(({ name, shape }) => ({ name, dtype: 'F32', shape, data: parameters.view(values, name) })),
    { format: 'pt' },
  );
  await copyModelFiles(request.baseFolder, request.folder);
}

/** Configuration, tokenizer and chat template of a model folder. */
export async function copyModelFiles(from: string, to: string): Promise<void> {
  for (const name of [
    'config.json',
    'generation_config.json',
    'tokenizer.json',
    'tokenizer_config.json',
    'special_tokens_map.json',
    'chat_template.jinja',
  ]) {
    try {
      await copyFile(join(from, name), join(to, name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  await readFile(join(to, 'config.json'));
}
