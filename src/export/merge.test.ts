import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { normal, randomStream } from '../core/random.ts';
import { openSafetensors, writeSafetensors } from '../models/safetensors.ts';
import { writeTinyModel } from '../testing/tiny-model.ts';
import { mergeAdapter } from './merge.ts';

let folder = '';
const at = (name: string): string => join(folder, name);
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'martlet-merge-'));
  for (const name of ['adapter', 'merged']) await mkdir(at(name));
  await writeTinyModel(at('base'), { seed: 12, dtype: 'BF16', tied: false });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const [rank, module] = [2, 'model.layers.1.mlp.up_proj'];
const random = randomStream(5);
const a = Float32Array.from({ length: rank * 32 }, () => normal(random));
const b = Float32Array.from({ length: 48 * rank }, () => normal(random));

async function writeAdapter(config: object, to = module): Promise<void> {
  await writeFile(join(at('adapter'), 'adapter_config.json'), JSON.stringify({ r: rank, lora_alpha: 6, ...config }));
  await writeSafetensors(join(at('adapter'), 'adapter_model.safetensors'), [
    { name: `base_model.model.${to}.lora_A.weight`, dtype: 'F32', shape: [rank, 32], data: a },
    { name: `base_model.model.${to}.lora_B.weight`, dtype: 'F32', shape: [48, rank], data: b },
  ]);
}
const merge = () => mergeAdapter({ baseFolder: at('base'), adapterFolder: at('adapter'), folder: at('merged') });

test.each([
  ['alpha / rank', {}, 3],
  ['alpha / sqrt(rank), when rank-stabilised', { use_rslora: true }, 6 / Math.sqrt(2)],
])('one matrix gets scale * B A and is kept in single precision: %s', async (_, config, scale) => {
  await writeAdapter(config);
  await merge();
  await using before = await openSafetensors(at('base'));
  await using after = await openSafetensors(at('merged'));
  expect(after.names.toSorted()).toEqual(before.names.toSorted());
  for (const name of before.names) {
    expect(after.info(name)).toMatchObject({ dtype: 'F32', shape: before.info(name).shape });
    const [was, is] = [await before.readFloat32(name), await after.readFloat32(name)];
    if (name !== `${module}.weight`) {
      expect(is, name).toEqual(was);
      continue;
    }
    for (let out = 0; out < 48; out++)
      for (let i = 0; i < 32; i++) {
        let product = 0;
        for (let r = 0; r < rank; r++) product += (b[out * rank + r] ?? 0) * (a[r * 32 + i] ?? 0);
        const expected = Math.fround((was[out * 32 + i] ?? 0) + scale * product);
        expect(Math.abs((is[out * 32 + i] ?? Number.NaN) - expected)).toBeLessThan(2e-6);
      }
  }
  // Readers that go by the base's 16 bits would round it again.
  const written = JSON.parse(await readFile(join(at('merged'), 'config.json'), 'utf8'));
  expect(written).toMatchObject({ dtype: 'float32', architectures: ['LlamaForCausalLM'] });
  expect(written).not.toHaveProperty('torch_dtype');
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'generation_config.json'])
    expect(await readFile(join(at('merged'), name))).toEqual(await readFile(join(at('base'), name)));
});

test('an adapter for what the base has not is refused', async () => {
  await writeAdapter({}, 'model.layers.2.mlp.up_proj');
  await expect(merge()).rejects.toMatchObject({
    code: 'adapter-mismatch',
    message: 'the base has no model.layers.2.mlp.up_proj.weight to merge into',
  });
});
