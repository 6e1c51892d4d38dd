import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { walkRecipe } from '../../src/cli/walk-recipe.ts';
import { randomStream } from '../../src/core/random.ts';
import { buildFeedback, judge, startServing } from '../../src/pipeline.ts';
import { verifyAudit } from '../../src/store/audit/audit-log.ts';
import { listFiles } from '../../src/store/files/files.ts';
import type { Store } from '../../src/store/store.ts';
import { traceAnswer } from '../../src/store/trace/trace.ts';
import { writeTinyModel } from '../../src/testing/tiny-model.ts';
import { scratchContext, writeScratchRecipe } from './scratch-recipe.ts';

export interface PipelineChain {
  /** Holds source, base and store; to be removed. */
  readonly folder: string;
  readonly store: Store;
  readonly answer: string;
}

/** A chain that the pipeline itself makes, from rows to an answer that was served, edited and turned into feedback. */
export async function makeChain(): Promise<PipelineChain> {
  const folder = await mkdtemp(join(tmpdir(), 'martlet-byte-'));
  await writeTinyModel(join(folder, 'base'), { seed: 4, headDim: 16 });
  const recipe = await writeScratchRecipe(folder, { base: join(folder, 'base') });
  const { walk, deps } = await walkRecipe(scratchContext(folder), { file: recipe, flags: [], last: 'export' });
  const { store } = deps;
  const served = await startServing({
    store,
    models: [walk.model?.address ?? ''],
    port: 0,
    slots: 1,
    home: deps.home,
    env: deps.env,
    clock: deps.clock,
    log: deps.log,
  });
  let answer = '';
  try {
    const response = await fetch(`${served.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'brief', messages: [{ role: 'user', content: 'the price' }], max_tokens: 8 }),
    });
    expect(response.status).toBe(200);
    answer = ((await response.json()) as { id: string }).id;
  } finally {
    await served.close();
  }
  const text = 'SAP closed the month at 59.';
  const by = { by: 'tester', madeBy: 'person', at: deps.clock() } as const;
  await judge({ store, answer, verdict: 'edit', text, reason: 'house style', ...by });
  await buildFeedback({ store, name: 'brief' });
  return { folder, store, answer };
}

/** Every file the answer rests on. The recipe was read into the plan, and the key signs what is to come: neither is a link. */
export async function filesOf({ folder }: PipelineChain): Promise<string[]> {
  const files = await listFiles(folder);
  // What a cache holds is no artefact: it is checked when it is used.
  const aside = (file: string): boolean =>
    file === 'recipe.yaml' || file === 'store/audit/key' || file.endsWith('.lock') || file.startsWith('store/cache/');
  return files.filter((file) => !aside(file));
}

/** Flips bits of each file in turn, in `places` random bytes, and expects the trace to be incomplete and to name the file. */
export async function flipBytes(
  chain: PipelineChain,
  options: { readonly places: number; readonly seed: number },
): Promise<void> {
  const { folder, store, answer } = chain;
  const random = randomStream(options.seed);
  for (const file of await filesOf(chain)) {
    const path = join(folder, file);
    const bytes = await readFile(path);
    for (let i = 0; i < options.places; i++) {
      // An empty file gets a byte.
      const changed = bytes.length > 0 ? Buffer.from(bytes) : Buffer.from('\n');
      const place = random.below(changed.length);
      if (bytes.length > 0) changed[place] = (changed[place] ?? 0) ^ (1 << random.below(8));
      await writeFile(path, changed);
      const trace = await traceAnswer(store, answer);
      const said = `byte ${place} of ${file}`;
      expect(trace.complete, said).toBe(false);
      // A base without a record of its files is known as a whole.
      const named = file.startsWith('store/') ? file.slice('store/'.length) : file.startsWith('base/') ? 'base' : path;
      expect(trace.hops.flatMap(({ problems }) => problems).join('\n'), said).toContain(named);
      if (file.startsWith('store/audit/')) expect((await verifyAudit({ root: store.root })).problems).not.toEqual([]);
    }
    await writeFile(path, bytes);
  }
  expect((await traceAnswer(store, answer)).complete).toBe(true);
}
