import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { walkRecipe } from '../../src/cli/walk-recipe.ts';
import { martletHome, readyEnvironment } from '../../src/envs/index.ts';
import { openGguf } from '../../src/models/gguf.ts';
import { openSafetensors, writeSafetensors } from '../../src/models/safetensors.ts';
import { walkTo } from '../../src/pipeline.ts';
import { deploy } from '../../src/serve/deployment.ts';
import type { TrainEngine } from '../../src/spec/train-engine.ts';
import { verifyAudit } from '../../src/store/audit/audit-log.ts';
import { openStore } from '../../src/store/open-store.ts';
import { writeTinyModel } from '../../src/testing/tiny-model.ts';
import { chatmlTemplate } from '../../src/testing/tiny-tokenizer.ts';
import { checkExport, runMartlet } from '../support/check-export.ts';
import { describeWithOracles } from '../support/oracle.ts';
import { scratchContext, writeScratchRecipe } from '../support/scratch-recipe.ts';
import { requireOrSkip } from '../support/skip.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'martlet-export-'));
  await writeTinyModel(join(folder, 'model'), { seed: 8, headDim: 16, dtype: 'BF16' });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const place = () => ({ cwd: folder, store: join(folder, 'store') });

describeWithOracles('martlet export', () => {
  beforeEach((context) => {
    const ready = readyEnvironment({ name: 'llama-cpp', home: martletHome(process.env) });
    requireOrSkip(context, ready, { kind: 'tool', reason: 'needs the llama-cpp environment: martlet setup llama-cpp' });
  });

  test('an adapter is the same to peft, merged to transformers, and as GGUF to llama.cpp', async () => {
    await writeScratchRecipe(folder, { base: join(folder, 'model') });
    const { stdout } = await runMartlet(['export', 'recipe.yaml', '--json'], place());
    const made = JSON.parse(stdout) as { model: { folder: string; address: string } };
    expect(made.model.address).toBe('brief@1');
    const figures = await checkExport({ folder: made.model.folder, scratch: folder });
    expect(figures.formats).toEqual(['adapter', 'safetensors', 'gguf']);
    expect(figures.learned).toBeGreaterThan(1e-2);
    expect(figures.transformers).toBeLessThan(1e-5);
    expect(figures.llamaCpp).toBeLessThan(1e-5);
    expect(figures.certified.adapter).toBe(0);
    const card = await readFile(join(made.model.folder, 'README.md'), 'utf8');
    expect(card).toMatch(/\| gguf \| \S+ \| 3 of 3 \| llama\.cpp/);
  });

  test('every trained weight of a full fine-tune arrives, at full precision from a base of 16 bits', async () => {
    await writeScratchRecipe(folder, {
      base: join(folder, 'model'),
      adapter: { kind: 'full' },
      train: { maxSteps: 1, rowsPerStep: 4, learningRate: 1e-3, warmup: 0 },
      export: { formats: ['safetensors', 'gguf'], certifyRows: 3 },
      render: { template: 'own.jinja' },
    });
    const own = `${chatmlTemplate}{# own #}`;
    await writeFile(join(folder, 'own.jinja'), own);
    const { stdout } = await runMartlet(['export', 'recipe.yaml', '--json'], place());
    const made = JSON.parse(stdout) as { model: { folder: string } };
    const figures = await checkExport({ folder: made.model.folder, scratch: folder });
    expect(figures.learned).toBeGreaterThan(1e-3);
    expect(figures.llamaCpp).toBeLessThan(1e-5);
    const config = JSON.parse(await readFile(join(made.model.folder, 'safetensors', 'config.json'), 'utf8'));
    expect([config.dtype, config.torch_dtype]).toEqual(['float32', undefined]);
    // The recipe's own template goes with the model, in each format, and is what is served whatever becomes of the file.
    const copy = join(made.model.folder, 'safetensors', 'chat_template.jinja');
    expect(await readFile(copy, 'utf8')).toBe(own);
    await using gguf = await openGguf(join(made.model.folder, 'gguf', 'model-f32.gguf'));
    expect(gguf.metadata.get('tokenizer.chat_template')).toBe(own);
    const store = await openStore({ root: place().store, clock: () => new Date(), who: 'test' });
    const { models } = await deploy({ store, models: ['brief'], engine: 'embedded 1' });
    expect(models[1]?.render.template).toBe(copy);
  });
});

/** What a store must not hold after an export that failed: a model, or the beginnings of one. */
async function modelsLeft(): Promise<string[]> {
  const names = await readdir(join(folder, 'store', 'models')).catch(() => []);
  return names.filter((name) => !name.endsWith('.lock'));
}

test('an export outside its tolerance fails, says where and by how much, and leaves nothing', async () => {
  await writeScratchRecipe(folder, {
    base: join(folder, 'model'),
    export: { formats: ['adapter', 'safetensors'], tolerance: 1e-30 },
  });
  await expect(runMartlet(['export', 'recipe.yaml'], place())).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /the safetensors export is not what was trained: on row \S+ a logit differs by \d\S*, where 1e-30 is allowed/,
    ),
  });
  expect(await modelsLeft()).toEqual([]);
});

interface Damage {
  readonly file: string;
  readonly tensor: string;
  /** `load`: before it is read back. `end`: after it was found to be right, before the next format is made of it. */
  readonly when: 'load' | 'end';
}

/** An engine beside which one number of an exported file changes, once. */
function withDamage(engine: TrainEngine, { file, tensor, when }: Damage): TrainEngine {
  let path: string | undefined;
  let done = false;
  const strike = async (): Promise<void> => {
    if (path === undefined || done) return;
    done = true;
    await damage(path, tensor);
  };
  return {
    ...engine,
    async start(options) {
      const session = await engine.start(options);
      const load: typeof session.load = async (request) => {
        const read = file.startsWith('adapter') ? request.checkpointFolder : request.baseFolder;
        if (read?.includes(join('models', '.new-'))) path = join(read, file);
        if (when === 'load') await strike();
        return session.load(request);
      };
      return {
        ...session,
        load,
        async [Symbol.asyncDispose]() {
          await session[Symbol.asyncDispose]();
          if (when === 'end') await strike();
        },
      };
    },
  };
}

async function damage(path: string, tensor: string): Promise<void> {
  const sources = await (async () => {
    await using file = await openSafetensors(path);
    return Promise.all(
      file.names.map(async (name) => {
        const data = (await file.readFloat32(name)).slice();
        if (name === tensor) data[3] = (data[3] ?? 0) + 0.5;
        return { name, dtype: 'F32' as const, shape: file.info(name).shape, data };
      }),
    );
  })();
  await writeSafetensors(path, sources, { format: 'pt' });
}

const merged = { file: 'model.safetensors', tensor: 'model.layers.1.mlp.down_proj.weight' };
const lora = {
  file: 'adapter_model.safetensors',
  tensor: 'base_model.model.model.layers.0.self_attn.v_proj.lora_A.weight',
};
test.each([
  ['safetensors', { ...merged, when: 'load' }],
  ['adapter', { ...lora, when: 'load' }],
  ['gguf', { ...merged, when: 'end' }],
] as const)('one changed weight in the %s export is found', async (format, change) => {
  const recipe = await writeScratchRecipe(folder, { base: join(folder, 'model') });
  const context = scratchContext(folder);
  const { walk, deps } = await walkRecipe(context, { file: recipe, flags: [], last: 'train' });
  const damaged = { ...deps, engine: withDamage(deps.engine, change) };
  const failure = await walkTo(damaged, walk, 'export', ['eval']).catch((error: unknown) => error);
  expect(failure).toMatchObject({
    code: 'export-differs',
    message: expect.stringMatching(
      new RegExp(`the ${format} export is not what was trained: on row \\S+ a logit differs by \\d\\S*, where 0.001`),
    ),
  });
  expect(await modelsLeft()).toEqual([]);
  expect(await verifyAudit({ root: deps.store.root })).toMatchObject({ problems: [] });
});

test('without llama.cpp a GGUF is imported again and read by the engine that trained; nothing of that is kept', async () => {
  const recipe = await writeScratchRecipe(folder, {
    base: join(folder, 'model'),
    export: { formats: ['gguf'], certifyRows: 2 },
  });
  const { walk, deps } = await walkRecipe(scratchContext(folder), { file: recipe, flags: [], last: 'train' });
  // The engine has its own home; this one holds no environment.
  const { model } = await walkTo({ ...deps, home: join(folder, 'home') }, walk, 'export', ['eval']);
  expect(model?.address).toBe('brief@1');
  expect(Object.keys(model?.lineage.files ?? {}).sort()).toEqual([
    'README.md',
    'gguf/certificate.json',
    'gguf/model-f32.gguf',
    'model.json',
  ]);
  const certificate = JSON.parse(await readFile(join(model?.folder ?? '', 'gguf', 'certificate.json'), 'utf8'));
  expect(certificate).toMatchObject({
    passed: true,
    greedyAnswersEqual: 2,
    reader: expect.stringMatching(/^embedded, after importing/),
  });
});

test('a recipe that learns every row trains; what measures is refused before, unless nothing is asked of it', async () => {
  await writeScratchRecipe(folder, {
    base: join(folder, 'model'),
    data: { sources: [{ from: 'rows.jsonl' }], split: { share: 0 } },
  });
  const { stdout } = await runMartlet(['train', 'recipe.yaml', '--json'], place());
  expect(JSON.parse(stdout)).toMatchObject({ run: { address: 'brief@1' } });
  for (const [command, flags] of [
    ['eval', []],
    ['export', []],
    ['run', ['--set', 'eval.tasks=[]']],
  ] as const)
    await expect(runMartlet([command, 'recipe.yaml', ...flags], place())).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Training goes without: '),
    });
  const bare = ['--set', 'eval.tasks=[]', '--set', 'export.formats=[]'];
  const { stdout: printed } = await runMartlet(['run', 'recipe.yaml', ...bare], place());
  expect(printed).toContain('Nothing was measured');
  expect(printed).toMatch(/^model +brief@1 /m);
  expect(printed).not.toContain('serve');
});
