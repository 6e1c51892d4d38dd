import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { copyModelFiles } from '../engine/checkpoint-files.ts';
import { openSafetensors, type TensorSource, writeSafetensors } from '../models/safetensors.ts';

/**
 * Writes base + scale * B · A in fp32: merging in the base's 16 bits would round away part of what was learned.
 * One matrix is in memory at a time.
 */
export async function mergeAdapter(request: {
  readonly baseFolder: string;
  readonly adapterFolder: string;
  readonly folder: string;
}): Promise<void> {
  const { baseFolder, adapterFolder, folder } = request;
  const config = JSON.parse(await readFile(join(adapterFolder, 'adapter_config.json'), 'utf8')) as {
    r: number;
    lora_alpha: number;
    use_rslora?: boolean;
  };
  const scale = config.lora_alpha / (config.use_rslora ? Math.sqrt(config.r) : config.r);
  await using base = await openSafetensors(baseFolder);
  await using adapter = await openSafetensors(join(adapterFolder, 'adapter_model.safetensors'));
  const adapted = new Set(
    adapter.names
      .map((name) => /^base_model\.model\.(.+)\.lora_[AB]\.weight$/.exec(name)?.[1])
      .filter((name) => name !== undefined),
  );
  for (const name of adapted)
    if (!base.has(`${name}.weight`))
      throw new MartletError('adapter-mismatch', `the base has no ${name}.weight to merge into`, {
        hint: 'Use the base the adapter was trained on.',
      });

  const tensors: TensorSource[] = base.names.map((name) => ({
    name,
    dtype: 'F32',
    shape: base.info(name).shape,
    async *data() {
      const weight = await base.readFloat32(name);
      const module = name.replace(/\.weight$/, '');
      if (adapted.has(module)) {
        const a = await adapter.readFloat32(`base_model.model.${module}.lora_A.weight`);
        const b = await adapter.readFloat32(`base_model.model.${module}.lora_B.weight`);
        addProduct({ weight, a, b, rank: config.r, scale });
      }
      yield new Uint8Array(weight.buffer, weight.byteOffset, weight.byteLength);
    },
  }));
  await writeSafetensors(join(folder, 'model.safetensors'), tensors, { format: 'pt' });
  await copyModelFiles(baseFolder, folder);
  await writeFloat32Config(folder);
}

/** The base may be stored in 16 bits; readers that go by its config.json would round what was learned away. */
export async function writeFloat32Config(folder: string): Promise<void> {
  const file = join(folder, 'config.json');
  const config = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  delete config.torch_dtype;
  await writeFile(file, `${JSON.stringify({ ...config, dtype: 'float32' }, null, 2)}\n`);
}

/** weight [out, in] += scale * b [out, rank] · a [rank, in], summed in double precision. */
function addProduct(request: {
  readonly weight: Float32Array;
  readonly a: Float32Array;
  readonly b: Float32Array;
  readonly rank: number;
  readonly scale: number;
}): void {
  const { weight, a, b, rank, scale } = request;
  const input = a.length / rank;
  const row = new Float64Array(input);
  for (let out = 0; out < b.length / rank; out++) {
    row.fill(0);
    for (let r = 0; r < rank; r++) {
      const factor = scale * (b[out * rank + r] as number);
      if (factor === 0) continue;
      for (let i = 0; i < input; i++) row[i] = (row[i] as number) + factor * (a[r * input + i] as number);
    }
    for (let i = 0; i < input; i++) weight[out * input + i] = (weight[out * input + i] as number) + (row[i] as number);
  }
}
