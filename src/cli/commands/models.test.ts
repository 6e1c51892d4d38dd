import { appendFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exportGguf } from '../../models/gguf-write.ts';
import { writeTinyModel } from '../../testing/tiny-model.ts';
import { runMartlet } from '../test-context.ts';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'martlet-models-'));
  await writeTinyModel(join(root, 'tiny'), { seed: 1 });
  await exportGguf({ modelFolder: join(root, 'tiny'), file: join(root, 'tiny.gguf'), dtype: 'F16' });
});
afterAll(() => rm(root, { recursive: true }));

async function martlet(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const { exit: code, ...said } = await runMartlet(['models', ...words], {
    cwd: root,
    env: { MARTLET_HOME: join(root, 'home') },
  });
  return { code, ...said };
}

test('a model is imported, listed, inspected, verified and removed', async () => {
  expect((await martlet()).out).toContain('No base model is in the cache');
  const [imported] = JSON.parse((await martlet('import', 'tiny.gguf', '--json')).out);
  expect(imported).toMatchObject({ address: 'tiny.gguf', fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) });
  const name = basename(imported.folder);

  expect((await martlet('list')).out).toMatch(
    new RegExp(`^${name} +tiny.gguf +LlamaForCausalLM +[\\d,]+ +F16 +unknown$`, 'm'),
  );
  const [listed] = JSON.parse((await martlet('list', '--json')).out);
  expect(listed).toMatchObject({ name, folder: imported.folder, addresses: [`gguf:${join(root, 'tiny.gguf')}`] });

  // By its address, its name, and its name without the fingerprint.
  for (const model of ['tiny.gguf', name, 'tiny']) {
    const { code, out } = await martlet('inspect', model);
    expect(code).toBe(0);
    expect(out).toMatch(/^context +512 tokens$/m);
    expect(out).toMatch(/^template +[\d,]+ characters, [0-9a-f]{12}; .*eos_token <\|im_end\|>/m);
  }
  const described = JSON.parse((await martlet('inspect', name, '--json')).out);
  expect(described).toMatchObject({
    shape: { layers: 2, hidden: 32, heads: 4, keyValueHeads: 2, tiedEmbeddings: true },
    tokenizer: { kind: 'BPE' },
    problem: null,
  });
  expect((await martlet('inspect', name, '--verify')).out).toMatch(/^verified +every file is as recorded$/m);
  await appendFile(join(imported.folder, 'config.json'), ' ');
  const altered = await martlet('inspect', name, '--verify');
  expect(altered).toMatchObject({ code: 1, out: expect.stringContaining('config.json was altered') });

  expect((await martlet('remove', name, 'nonsense')).code).toBe(1);
  expect(await readdir(imported.folder)).not.toEqual([]);
  expect((await martlet('remove', name)).err).toBe(`removed ${imported.folder}\n`);
  expect(JSON.parse((await martlet('list', '--json')).out)).toEqual([]);
});

test('what is not there is answered with what is meant', async () => {
  await martlet('import', 'tiny.gguf');
  expect((await martlet('inspect', 'tiiny')).err).toContain('The nearest is tiny.');
  expect((await martlet('inspect', 'hf:org/name')).err).toContain('martlet models pull hf:org/name');
  expect((await martlet('import', 'tiny.gguf', 'notes.txt')).err).toContain('notes.txt is no .gguf file');
  const pulled = await martlet('pull', 'missing.gguf');
  expect(pulled.err).toContain('missing.gguf does not exist');
  expect(pulled.err).not.toContain('--base');
});

test('a folder of one’s own is inspected, and not removed', async () => {
  // Named alike, the folder is meant when it is written as one.
  expect((await martlet('inspect', './tiny')).out).toMatch(/^dtype +F32/m);
  expect((await martlet('remove', './tiny')).err).toContain('is not in the cache, so it is not removed');
  expect(await readdir(join(root, 'tiny'))).toContain('config.json');
});
