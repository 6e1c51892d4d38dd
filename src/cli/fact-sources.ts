import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { fingerprint } from '../core/fingerprint.ts';
import type { Issue } from '../core/issue.ts';
import { martletHome } from '../envs/home.ts';
import { templateIssues } from '../models/template-issues.ts';
import type { PlanValues } from '../schema/plan.ts';
import type { Sample } from '../schema/sample.ts';
import type { CliContext } from './context.ts';
import type { FactSources } from './load-plan.ts';
import { remembered } from './remembered.ts';
import { sourceReading } from './source-reading.ts';
import { storeRoot } from './store-root.ts';

/**
 * Facts from this machine: the base model in the cache, the rows, what training reached before. Nothing is fetched. Modules
 * that read models and rows are loaded when the first fact is looked for, so that a wrong recipe is answered before.
 * @param options.keep whether facts of rows are remembered in the store even when that has to be made first
 */
export function factSources(context: CliContext, { keep = false }: { readonly keep?: boolean } = {}): FactSources {
  const { cwd, env } = context;
  const root = storeRoot(context);
  const reading = sourceReading(context, { offline: true });
  const folder = join(root, 'cache', 'facts');
  let sources: Promise<string | null> | undefined;
  /** Of files; null where a source is none, or is not there, which is for whoever reads it to tell. */
  const filesOf = async (values: PlanValues['data']): Promise<string | null> => {
    const { sourcesFingerprint } = await import('../pipeline.ts');
    sources ??= sourcesFingerprint({ ...reading, values }).catch(() => null);
    return await sources;
  };
  /** What facts of rows hang on; null for what is not remembered. Of a step of one's own, not all that it hangs on is known. */
  const keyOf = async (values: PlanValues['data'], of: Readonly<Record<string, unknown>>): Promise<string | null> => {
    if (!keep && !existsSync(root)) return null;
    if (values.steps.some(({ module }) => module !== null)) return null;
    const known = await filesOf(values);
    return known && fingerprint({ sources: known, values, today: reading.today, ...of });
  };
  const baseIssues = async (addresses: readonly string[]): Promise<readonly Issue[]> => {
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
    const fix =
      hubHint(addresses) ??
      (await cachedModelsHint(martletHome(env))) ??
      'Check the path; it is taken relative to the recipe.';
    const message = `${addresses.join(', ')}: there is no such file or folder.`;
    return [{ code: 'model-missing', severity: 'error', path, message, expected, fix }];
  };
  return {
    async checkFiles({ base, render: { template } }) {
      return [...(await baseIssues(base)), ...(template === 'model' ? [] : await templateIssues(template))];
    },
    async findModel(addresses) {
      const [{ findCachedModel, otherBases }, { parseAddress }] = await Promise.all([
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
      throw new MartletError(
        'model-missing',
        `${addresses.join(', ')}: not on this machine, and a plan fetches nothing`,
        {
          hint: `Known after ${commands.join(', or ')}. ${await otherBases(martletHome(env), addresses)}`,
        },
      );
    },
    async countRows(values) {
      const { countRows } = await import('../pipeline.ts');
      const key = await keyOf(values, { what: 'rows' });
      const { sources: counted, ...rows } = await remembered({
        folder,
        key,
        look: () => countRows({ ...reading, values }),
      });
      // What is no file may give other rows the next time.
      const isHeld = counted && keep && (await filesOf(values)) !== null;
      return isHeld ? { ...rows, sources: counted } : rows;
    },
    async countTokens(values, { folder: model, rows }) {
      const [{ countTokens, readSources }, { encodeDocuments, noonOf, openEncoder }, { methodNamed }, { shardCode }] =
        await Promise.all([
          import('../pipeline.ts'),
          import('../models/encoder.ts'),
          import('../methods/index.ts'),
          import('../store/shards/shard-layout.ts'),
        ]);
      const { render, data, method } = values;
      const encoder = await openEncoder({ folder: model, render, now: noonOf(reading.today) });
      const layout = methodNamed(method.name).layout;
      const { tokenizer, templateFingerprint: template, stopTokens } = encoder;
      const key = await keyOf(data, {
        what: 'tokens',
        ...{ render, layout, rows: rows.train, tokenizer: tokenizer.fingerprint, template, stopTokens, shardCode },
      });
      const look = () =>
        countTokens({
          samples: trained(readSources({ ...reading, values: data })),
          rows: rows.train,
          rules: { layout, render, encode: encodeDocuments(encoder) },
        });
      return remembered({ folder, key, look });
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

/** `org/name` without a scheme is read as a path; where not even `org` is there, a model of the hub was meant. */
function hubHint(paths: readonly string[]): string | undefined {
  const [path] = paths;
  if (path === undefined || /\.\w+$/.test(path) || existsSync(dirname(path))) return undefined;
  return `For a model of the hub write hf:${basename(dirname(path))}/${basename(path)}.`;
}

async function* trained(
  outcomes: AsyncIterable<{ readonly fate: string; readonly sample: Sample | null }>,
): AsyncGenerator<Sample> {
  for await (const { fate, sample } of outcomes) if (fate === 'train' && sample) yield sample;
}
