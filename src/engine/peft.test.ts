import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openSafetensors, writeSafetensors } from '../models/safetensors.ts';
import { writeTinyModel } from '../testing/tiny-model.ts';
import type { AdapterShape } from './llama.ts';
import { loadModel } from './model.ts';
import { readAdapter, writeAdapter } from './peft.ts';
import { testRuntime } from './test-runtime.ts';
import { freshAdapter } from './trained.ts';

const folder = await mkdtemp(join(tmpdir(), 'martlet-peft-'));
afterAll(() => rm(folder, { recursive: true, force: true }));
await writeTinyModel(join(folder, 'base'), { seed: 3 });
const model = await loadModel(await testRuntime(), join(folder, 'base'));
const shape: AdapterShape = { rank: 3, scale: 4 / 3, dropout: 0.1, targets: ['q_proj', 'v_proj', 'down_proj'] };
let count = 0;

/** Writes an adapter with a number of its own everywhere, then changes its files. */
async function adapter(
  change: { readonly config?: object; readonly drop?: string; readonly rename?: readonly [string, string] } = {},
) {
  const to = join(folder, `adapter-${count++}`);
  await mkdir(to);
  const trained = freshAdapter(model, shape, 1);
  trained.values.forEach((_, index) => {
    trained.values[index] = index / 64;
  });
  await writeAdapter({ folder: to, shape, trained, base: 'the base' });
  const configFile = join(to, 'adapter_config.json');
  const config = JSON.parse(await readFile(configFile, 'utf8'));
  await writeFile(configFile, JSON.stringify({ ...config, ...change.config }));
  if (change.drop || change.rename) {
    const file = join(to, 'adapter_model.safetensors');
    const [from, name] = change.rename ?? ['', ''];
    const tensors = await (async () => {
      await using stored = await openSafetensors(file);
      const kept = stored.names.filter((each) => !change.drop || !each.includes(change.drop));
      return Promise.all(
        kept.map(async (each) => ({
          name: each.replace(from, name),
          dtype: 'F32' as const,
          shape: stored.info(each).shape,
          data: (await stored.readFloat32(each)).slice(),
        })),
      );
    })();
    await writeSafetensors(file, tensors);
  }
  return { to, trained, config };
}

test('what is written is read again, number for number', async () => {
  const { to, trained, config } = await adapter();
  const read = await readAdapter(to, model);
  expect(read.trained.values).toEqual(trained.values);
  expect(read.shape).toEqual({ ...shape, scale: config.lora_alpha / 3 });
  expect(config).toMatchObject({ peft_type: 'LORA', r: 3, lora_dropout: 0.1, base_model_name_or_path: 'the base' });
  expect(config.lora_alpha).toBeCloseTo(4, 12);
});

test('rank-stabilised LoRA is scaled by the root of its rank', async () => {
  const { to } = await adapter({ config: { use_rslora: true, lora_alpha: 6 } });
  expect((await readAdapter(to, model)).shape.scale).toBeCloseTo(6 / Math.sqrt(3), 12);
});

test('what the engine would compute otherwise is refused, and the reason named', async () => {
  const refused: [object, string][] = [
    [{ peft_type: 'LOHA' }, 'peft_type is LOHA'],
    [{ use_dora: true }, 'use_dora is set'],
    [{ fan_in_fan_out: true }, 'fan_in_fan_out is set'],
    [{ bias: 'all' }, 'bias is all'],
    [{ rank_pattern: { q_proj: 8 } }, 'rank_pattern is set'],
    [{ alpha_pattern: { q_proj: 8 } }, 'alpha_pattern is set'],
    [{ layers_to_transform: [0] }, 'layers_to_transform is set'],
  ];
  for (const [config, reason] of refused) {
    const { to } = await adapter({ config });
    await expect(readAdapter(to, model)).rejects.toMatchObject({
      code: 'adapter-unsupported',
      message: expect.stringContaining(reason),
    });
  }
  const { to } = await adapter({ rename: ['layers.1.mlp.down_proj', 'layers.7.mlp.down_proj'] });
  await expect(readAdapter(to, model)).rejects.toMatchObject({ code: 'adapter-mismatch' });
});

test('an adapter of another model, or one with something more, is not taken', async () => {
  for (const change of [{ config: { r: 4 } }, { drop: 'layers.1.self_attn.v_proj.lora_B' }]) {
    const { to } = await adapter(change);
    await expect(readAdapter(to, model)).rejects.toMatchObject({ code: 'adapter-mismatch' });
  }
  await writeTinyModel(join(folder, 'short'), { seed: 3, layers: 1 });
  const short = await loadModel(await testRuntime(), join(folder, 'short'));
  const { to } = await adapter();
  await expect(readAdapter(to, short)).rejects.toMatchObject({
    code: 'adapter-unsupported',
    message: expect.stringContaining('it also holds base_model.model.model.layers.1.'),
  });
});
