import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { martletHome } from '../envs/home.ts';
import { datasetFetcher } from '../models/dataset-fetcher.ts';
import type { Sample } from '../schema/sample.ts';
import type { CliContext } from './context.ts';
import type { FactSources } from './load-plan.ts';
import { storeRoot } from './store-root.ts';

/**
 * Facts from this machine: the base model in the cache, the rows, what training reached before. Nothing is fetched. Modules
 * that read models and rows are loaded when the first fact is looked for, so that a wrong recipe is answered before.
 */
export function factSources(context: CliContext): FactSources {
  const { cwd, env, signal } = context;
  const today = context.now().toISOString().slice(0, 10);
  const resolveFeedback = (address: string): string =>
    join(storeRoot(context), 'feedback', address.replace(/^feedback\//, ''), 'rows.jsonl');
  const fetchDataset = datasetFetcher({ home: martletHome(env), env, offline: true, signal, log: () => undefined });
  return {
    async checkBase(addresses) {
      const [{ parseAddress }, { cachedModelsHint }] = await Promise.all([
        import('../models/address.ts'),
        import('../models/model-cache.ts'),
      ]);
      const isGone = (address: string): boolean => {
        const parsed = parseAddress(address, cwd);
        return 'path' in parsed && !existsSync(parsed.path);
      };
      if (!addresses.every(isGone)) return [];
      const [path, expected] = [['base'], 'a folder in the layout of transformers, a .gguf file or an address'];
      const fix = (await cachedModelsHint(martletHome(env))) ?? 'Check the path; it is taken relative to the recipe.';
      const message = `${addresses.join(', ')}: there is no such file or folder.`;
      return [{ code: 'model-missing', severity: 'error', path, message, expected, fix }];
    },
    async findModel(addresses) {
      const [{ findCachedModel }, { parseAddress }] = await Promise.all([
        import('../models/resolve.ts'),
        import('../models/address.ts'),
      ]);
      const found = await findCachedModel({ addresses, home: martletHome(env), env, cwd });
      if (found) return found.folder;
      const commands = addresses.map((address) => {
        const { kind } = parseAddress(address, cwd);
        return kind === 'folder'
          ? `making ${address}`
          : `martlet models ${kind === 'gguf' ? 'import' : 'pull'} ${address}`;
      });
      throw new MartletError('model-missing', `${addresses.join(', ')}: not on this machine`, {
        hint: `Known after ${commands.join(', or ')}.`,
      });
    },
    async countRows(values) {
      const { countRows } = await import('../pipeline.ts');
      return countRows({ values, today, resolveFeedback, fetchDataset, signal });
    },
    async countTokens(values, { folder, rows }) {
      const [{ countTokens, readSources }, { encodeDocuments, openEncoder }, { methodNamed }] = await Promise.all([
        import('../pipeline.ts'),
        import('../models/encoder.ts'),
        import('../methods/index.ts'),
      ]);
      const { render, data, method } = values;
      const encoder = await openEncoder({ folder, render, now: context.now() });
      const layout = methodNamed(method.name).layout;
      const outcomes = readSources({ values: data, today, resolveFeedback, fetchDataset, signal });
      return countTokens({
        samples: trained(outcomes),
        rows: rows.train,
        rules: { layout, render, encode: encodeDocuments(encoder) },
      });
    },
    async measureThroughput() {
      const [{ openStore }, { machineName }, { measuredThroughput }] = await Promise.all([
        import('../store/open-store.ts'),
        import('../store/made-by.ts'),
        import('./measured-throughput.ts'),
      ]);
      const root = storeRoot(context);
      return measuredThroughput(
        await openStore({ root, clock: context.now, who: 'nobody: nothing is written' }),
        machineName(),
      );
    },
  };
}

async function* trained(
  outcomes: AsyncIterable<{ readonly fate: string; readonly sample: Sample | null }>,
): AsyncGenerator<Sample> {
  for await (const { fate, sample } of outcomes) if (fate === 'train' && sample) yield sample;
}
