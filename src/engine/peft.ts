import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { openSafetensors, writeSafetensors } from '../models/safetensors.ts';
import type { PlanValues } from '../schema/plan.ts';
import { type AdapterShape, adapterParameters, type LinearName, linearNames } from './llama.ts';
import { blockName, type Model } from './model.ts';
import { flatParameters } from './parameters.ts';
import type { Trained } from './trained.ts';

/** PEFT's own names: https://github.com/huggingface/peft (LoraConfig, `adapter_model.safetensors`). */
const peftName = (name: string): string => `base_model.model.${name}`;

export function adapterShape(adapter: PlanValues['adapter']): AdapterShape | null {
  if (adapter.kind === 'full') return null;
  const { rank, alpha, dropout, targets } = adapter;
  return { rank, scale: alpha / rank, dropout, targets };
}

/** Writes `adapter_config.json` and `adapter_model.safetensors`, as `PeftModel.save_pretrained` would. */
export async function writeAdapter(request: {
  readonly folder: string;
  readonly shape: AdapterShape;
  readonly trained: Trained;
  readonly base: string;
}): Promise<void> {
  const { folder, shape, trained } = request;
  const config = {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: request.base,
    inference_mode: true,
    r: shape.rank,
    lora_alpha: shape.scale * shape.rank,
    lora_dropout: shape.dropout,
    target_modules: [...shape.targets],
    bias: 'none',
    fan_in_fan_out: false,
    modules_to_save: null,
    init_lora_weights: true,
    use_rslora: false,
    use_dora: false,
    layers_to_transform: null,
    layers_pattern: null,
    rank_pattern: {},
    alpha_pattern: {},
  };
  await writeFile(join(folder, 'adapter_config.json'), `${JSON.stringify(config, null, 2)}\n`);
  const { parameters, values } = trained;
  await writeSafetensors(
    join(folder, 'adapter_model.safetensors'),
    parameters.entries.map(({ name, shape: size }) => ({
      name: peftName(name),
      dtype: 'F32',
      shape: size,
      data: parameters.view(values, name),
    })),
    { format: 'pt' },
  );
}

/**
 * Reads an adapter that Martlet or PEFT wrote.
 * @throws MartletError `adapter-unsupported` when it is no plain LoRA, `adapter-mismatch` when it does not fit the model.
 */
export async function readAdapter(
  folder: string,
  model: Model,
): Promise<{ readonly shape: AdapterShape; readonly trained: Trained }> {
  const config = JSON.parse(await readFile(join(folder, 'adapter_config.json'), 'utf8')) as Record<string, unknown>;
  const refuse = (message: string): never => {
    throw new MartletError('adapter-unsupported', `${folder}: ${message}`, {
      hint: 'The embedded engine reads plain LoRA adapters without biases.',
    });
  };
  if (config.peft_type !== 'LORA') refuse(`peft_type is ${String(config.peft_type)}`);
  for (const flag of ['use_dora', 'fan_in_fan_out']) if (config[flag]) refuse(`${flag} is set`);
  if (config.bias !== undefined && config.bias !== 'none') refuse(`bias is ${String(config.bias)}`);
  for (const pattern of ['rank_pattern', 'alpha_pattern', 'layers_to_transform'])
    if (config[pattern] && Object.keys(config[pattern] as object).length > 0) refuse(`${pattern} is set`);
  await using file = await openSafetensors(join(folder, 'adapter_model.safetensors'));
  // target_modules may be names, paths or a pattern; what is adapted stands in the file.
  const targets = (Object.keys(linearNames) as LinearName[]).filter((name) =>
    file.names.some((stored) => stored.endsWith(`.${name}.lora_A.weight`)),
  );
  const rank = Number(config.r);
  const alpha = Number(config.lora_alpha);
  const shape: AdapterShape = {
    rank,
    scale: config.use_rslora ? alpha / Math.sqrt(rank) : alpha / rank,
    dropout: Number(config.lora_dropout ?? 0),
    targets,
  };
  const shapes: Record<string, readonly number[]> = {};
  for (let layer = 0; layer < model.config.num_hidden_layers; layer++)
    for (const [name, size] of Object.entries(adapterParameters(model.config, shape)))
      shapes[blockName(layer, name)] = size;
  const parameters = flatParameters(shapes);
  const values = new Float32Array(parameters.size);
  for (const { name, shape: size } of parameters.entries) {
    const stored = peftName(name);
    if (!file.has(stored) || file.info(stored).shape.join() !== size.join())
      throw new MartletError(
        'adapter-mismatch',
        `${folder} does not fit the model: ${stored} [${size.join(', ')}] is missing or has another shape`,
        { hint: 'Use the base model it was trained on; the embedded engine adapts every layer alike.' },
      );
    await file.readFloat32(stored, parameters.view(values, name));
  }
  const extra = file.names.filter((stored) => !parameters.has(stored.replace('base_model.model.', '')));
  if (extra.length > 0) refuse(`it also holds ${extra.slice(0, 3).join(', ')}`);
  return { shape, trained: { parameters, values } };
}
