import { basename } from 'node:path';
import { type Command, Option } from 'commander';
import { MartletError } from '../core/error.ts';
import { nearestName } from '../core/nearest.ts';
import type { RowPlace } from '../pipeline.ts';
import { type Fate, fates } from '../schema/fates.ts';
import type { Artefact } from '../store/store.ts';
import type { CliContext } from './context.ts';
import { writePage } from './given-file.ts';
import { loadPlan } from './load-plan.ts';
import type { RowReading } from './print/ledger.ts';

interface LedgerFlags {
  readonly rows?: Fate | 'all';
  readonly html?: string;
  readonly json?: true;
}

/** The commands that tell what became of rows: `ledger`, `why` and `diff`. */
export function addLedgerCommands(data: Command, context: CliContext): void {
  data
    .command('ledger')
    .description('show what became of the rows of a dataset, step by step')
    .argument('<dataset>', 'a dataset: name@n, or a name or a recipe for its newest version')
    .addOption(
      new Option('--rows <fate>', 'list the rows of a fate, a line each, with the reason').choices([...fates, 'all']),
    )
    .option('--html <file>', 'write it as one page that needs nothing else')
    .option('--json', 'print the accounts as JSON; with --rows one line a row')
    .action(async (name: string, { rows, html, json }: LedgerFlags) => {
      if (rows !== undefined) return listRows(context, { name, fate: rows === 'all' ? undefined : rows, json });
      const [{ readDataset, ledgerPage }, { printLedger, printShards }] = await Promise.all([
        import('../pipeline.ts'),
        import('./print/ledger.ts'),
      ]);
      const { address, folder } = await datasetNamed(context, name);
      const dataset = await readDataset(folder);
      const { shardsAccount, shardsOfDataset } = await import('../store/shards/shard-story.ts');
      const made = await shardsOfDataset(await storeOf(context), address);
      const shards = made && { address: made.artefact.address, account: shardsAccount(made.manifest) };
      if (html !== undefined) {
        const file = await writePage(html, ledgerPage({ address, dataset, shards }), context);
        context.err(`wrote ${file}\n`);
      }
      if (json) context.out(`${JSON.stringify(dataset)}\n`);
      else if (html === undefined) {
        context.out(printLedger(address, dataset, context));
        if (made) context.out(printShards(made.artefact.address, made.manifest, context));
      }
    });

  data
    .command('why')
    .description('tell the story of one row: how it was read, what each step did, what became of it')
    .argument('<source:line>', 'where the row stands, such as rows.jsonl:12; the end of the address is enough')
    .option(
      '--dataset <name>',
      'look in this dataset: name@n, a name or a recipe; the newest of every name when absent',
    )
    .option('--json', 'print it as JSON')
    .action(async (text: string, { dataset, json }: { readonly dataset?: string; readonly json?: true }) => {
      const [{ parsePlace, storiesOf }, { printStory }] = await Promise.all([
        import('../pipeline.ts'),
        import('./print/ledger.ts'),
      ]);
      const [{ shardStory }, { sourceReading }] = await Promise.all([
        import('../store/shards/shard-story.ts'),
        import('./source-reading.ts'),
      ]);
      const store = await storeOf(context);
      const place = parsePlace(text);
      const found = [];
      const looked = dataset === undefined ? await newestDatasets(context) : [await datasetNamed(context, dataset)];
      for (const artefact of looked) {
        const { address, folder } = artefact;
        const stories = await storiesOf(folder, place, sourceReading(context));
        const readingOf = stories.length > 0 ? await readingsOf(artefact) : undefined;
        for (const story of stories) {
          const { id } = story.sample ?? {};
          const shards = id === undefined ? undefined : await shardStory(store, { dataset: address, id });
          const read = readingOf?.(story.entry.source) ?? { format: null, columns: null };
          found.push({ dataset: address, read, ...story, shards: shards ?? null });
        }
      }
      if (json) context.out(`${JSON.stringify(found)}\n`);
      else context.out(found.map((story) => printStory(story.dataset, story, context)).join('\n'));
      if (found.length > 0) return;
      const where = looked.map(({ address }) => address).join(', ') || 'any dataset: there is none';
      const hint = looked.length === 0 ? makeOne : await placeMeant(place, looked);
      throw new MartletError('row-missing', `no row began at ${text} in ${where}`, { hint });
    });

  data
    .command('diff')
    .description('tell what differs between two datasets: rows that came, went, changed or met another fate')
    .argument('<before>', 'a dataset, such as market-brief@1')
    .argument('<after>', 'another, such as market-brief@2')
    .option('--json', 'print it as JSON')
    .action(async (before: string, after: string, { json }: { readonly json?: true }) => {
      const [{ diffDatasets }, { printDiff }, { sourceReading }] = await Promise.all([
        import('../pipeline.ts'),
        import('./print/ledger.ts'),
        import('./source-reading.ts'),
      ]);
      const [first, second] = [await datasetNamed(context, before), await datasetNamed(context, after)];
      const diff = await diffDatasets(first.folder, second.folder, sourceReading(context));
      context.out(json ? `${JSON.stringify(diff)}\n` : printDiff([first.address, second.address], diff, context));
    });
}

async function listRows(
  context: CliContext,
  { name, fate, json }: { readonly name: string; readonly fate: Fate | undefined; readonly json: true | undefined },
): Promise<void> {
  const [{ ledgerRows }, { printRow }, { sourceReading }] = await Promise.all([
    import('../pipeline.ts'),
    import('./print/ledger.ts'),
    import('./source-reading.ts'),
  ]);
  const { folder } = await datasetNamed(context, name);
  for await (const entry of ledgerRows(folder, sourceReading(context), fate)) {
    context.out(json ? `${JSON.stringify(entry)}\n` : printRow(entry, context));
    await context.drained?.();
  }
}

async function storeOf(context: CliContext) {
  const [{ openStore }, { storeRoot }] = await Promise.all([
    import('../store/open-store.ts'),
    import('./store-root.ts'),
  ]);
  return openStore({ root: storeRoot(context), clock: context.now, who: '' });
}

/** How the rows of each source of a dataset are read. */
async function readingsOf({ folder, lineage }: Artefact): Promise<(source: string) => RowReading> {
  const { readDataset } = await import('../pipeline.ts');
  const { formats } = await readDataset(folder);
  // Datasets of earlier versions do not say.
  const columns = lineage.facts.columns as Readonly<Record<string, RowReading['columns']>> | undefined;
  return (source) => ({ format: formats[source] ?? null, columns: columns?.[source] ?? null });
}

async function placeMeant({ source, line }: RowPlace, looked: readonly { readonly folder: string }[]): Promise<string> {
  const { isSource, readDataset } = await import('../pipeline.ts');
  const datasets = await Promise.all(looked.map(({ folder }) => readDataset(folder)));
  const sources = [...new Set(datasets.flatMap(({ formats }) => Object.keys(formats)))];
  const known = sources.find((each) => isSource(each, source));
  if (known !== undefined) return `${known} is a source, but no row begins at its line ${line}; lines count from 1.`;
  const names = sources.map((each) => basename(each));
  const near = nearestName(basename(source), names);
  return near === undefined
    ? `The sources are ${names.slice(0, 5).join(', ')}${names.length > 5 ? ' ...' : ''}.`
    : `Did you mean ${near}:${line}?`;
}

/** By its address, by a name or by the recipe it was built from. */
async function datasetNamed(context: CliContext, given: string) {
  const store = await storeOf(context);
  const isRecipe = /\.ya?ml$/i.test(given);
  const name = isRecipe ? (await loadPlan({ file: given, context })).plan.values.name : given;
  const newest = name.includes('@') ? undefined : await store.latest('dataset', name).catch(() => undefined);
  if (newest) return newest;
  if (isRecipe)
    throw new MartletError('artefact-missing', `no dataset of ${given} is there: none is called ${name}`, {
      hint: `Make it with: martlet data build ${given}`,
    });
  return store.open('dataset', name.includes('@') ? name : `${name}@1`).catch(async (error: unknown) => {
    if (!MartletError.is(error) || error.code !== 'artefact-missing' || error.hint !== undefined) throw error;
    const known = (await newestDatasets(context)).map(({ address }) => address);
    const hint = known.length > 0 ? `There is ${known.join(', ')}.` : makeOne;
    throw new MartletError(error.code, error.message, { hint, cause: error });
  });
}

const makeOne = 'Make one with: martlet data build <recipe>';

async function newestDatasets(context: CliContext) {
  const store = await storeOf(context);
  const newest = new Map((await store.list('dataset')).map((artefact) => [artefact.address.split('@')[0], artefact]));
  return [...newest.values()];
}
