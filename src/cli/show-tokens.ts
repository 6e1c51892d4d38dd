import { join, resolve } from 'node:path';
import { issuesError, MartletError } from '../core/error.ts';
import { formatIssue } from '../core/issue.ts';
import { martletHome } from '../envs/home.ts';
import { methodNamed } from '../methods/index.ts';
import { dayOf, type EncodedSample, type Encoder, encodeDocuments, noonOf, openEncoder } from '../models/encoder.ts';
import { resolveModel } from '../models/resolve.ts';
import { documentsOf, type RowDocuments, readSources, recipePart } from '../pipeline.ts';
import { readRecipe, resolvePlan } from '../recipe/index.ts';
import { formatTokens, partOfEncoded, tokensLegend, tokensPage } from '../render/index.ts';
import type { Plan, PlanValues } from '../schema/plan.ts';
import type { Sample } from '../schema/sample.ts';
import { shards } from '../schema/shards.ts';
import { openStore } from '../store/open-store.ts';
import { readJson } from '../store/stage.ts';
import type { TokensFlags } from './commands/tokens.ts';
import type { CliContext } from './context.ts';
import { writePage } from './given-file.ts';
import { loadPlan } from './load-plan.ts';
import { sourceReading } from './source-reading.ts';
import { storeRoot } from './store-root.ts';
import { formatSummary, summariseTokens } from './tokens-summary.ts';

/**
 * `martlet tokens`: rows as the exact tokens they become, in the terminal, as JSON or as a page; or one line a source.
 * @throws MartletError `row-missing`, `invalid-input`
 */
export async function showTokens(context: CliContext, recipe: string | undefined, flags: TokensFlags): Promise<void> {
  if (recipe === undefined) return showRows(context, { plan: planWithoutRecipe(flags, context), flags });
  const { plan, atPlaces } = await loadPlan({ file: recipe, flags: flags.set, base: flags.base, context });
  await showRows(context, { plan, flags, ofRecipe: true }).catch((error: unknown) => {
    throw atPlaces(error);
  });
}

type ShownPlan = Pick<Plan, 'values' | 'execution'>;

async function showRows(
  context: CliContext,
  { plan, flags, ofRecipe = false }: { plan: ShownPlan; flags: TokensFlags; ofRecipe?: boolean },
): Promise<void> {
  const { values, execution } = plan;
  const outcomes = readSources({ ...sourceReading(context, execution), values: values.data });
  const { cwd, env, signal } = context;
  const log = (line: string): void => context.err(`${line}\n`);
  const { folder } = await resolveModel({ addresses: values.base, home: martletHome(env), env, cwd, log, signal });
  const now = noonOf(ofRecipe ? await shardDay(values, context) : dayOf(context.now()));
  const encoder = await openEncoder({ folder, render: values.render, now });
  if (flags.summary) return showSummary(context, { outcomes, values, encoder, json: flags.json ?? false });

  const first = Number(flags.row ?? 1);
  const count = Number(flags.rows ?? 1);
  const shown: ShownRow[] = [];
  for await (const sample of keptRows(outcomes, first, count)) shown.push(await shownRow(sample, { encoder, values }));
  if (flags.html !== undefined) {
    const page = tokensPage(shown.flatMap(pageRows), (id) => encoder.tokenizer.tokenOf(id));
    return context.err(`wrote ${await writePage(flags.html, page, context)}\n`);
  }
  if (!flags.json && !context.colour) context.err(`marks: ${tokensLegend}\n`);
  for (const row of shown)
    for (const [index, document] of row.documents.entries()) {
      if (flags.json) {
        context.out(`${JSON.stringify(asJson(row, index))}\n`);
        continue;
      }
      context.err(`${[placeOf(row.sample), ...notesOf(row, index)].join('  ')}\n`);
      context.out(`${formatTokens(document, context)}\n`);
    }
  for (const { sample } of shown)
    for (const issue of encoder.check(sample)) context.err(`${issue.severity} ${formatIssue(issue)}\n`);
}

interface ShownRow {
  readonly sample: Sample;
  readonly documents: readonly EncodedSample[];
  readonly cutTokens: number;
  /** Why the row is in no shard; null when it is. What is shown then is all of it. */
  readonly lost: Pick<Extract<RowDocuments, { fate: unknown }>, 'fate' | 'reason'> | null;
}

/** By the function that makes the documents of shards, so that what is shown is what is trained on. */
async function shownRow(
  sample: Sample,
  { encoder, values }: { readonly encoder: Encoder; readonly values: PlanValues },
): Promise<ShownRow> {
  const { layout } = methodNamed(values.method.name);
  const made = await documentsOf(sample, { layout, encode: encodeDocuments(encoder), render: values.render });
  if (!('fate' in made))
    return {
      sample,
      documents: made.documents.map((document) => partOfEncoded(document.whole, document)),
      cutTokens: made.cutTokens,
      lost: null,
    };
  const row = encoder.row(sample);
  if (!row.ok) throw issuesError(placeOf(sample), row.issues);
  const { fate, reason } = made;
  return { sample, documents: row.documents.map(({ value }) => value), cutTokens: 0, lost: { fate, reason } };
}

/** The day that the shards of this recipe were told, if they are there: a template may write it into a row. */
async function shardDay(values: PlanValues, context: CliContext): Promise<string> {
  const store = await openStore({ root: storeRoot(context), clock: context.now, who: '' });
  const known = await store.latest('shards', values.name);
  const manifest = known && shards.safeParse(await readJson(join(known.folder, 'shards.json'))).data;
  const { layout } = methodNamed(values.method.name);
  return manifest?.recipe === recipePart(values, layout) ? manifest.day : dayOf(context.now());
}

/** What is said of a document beside its place. */
function notesOf({ sample, documents, cutTokens, lost }: ShownRow, index: number): string[] {
  return [
    sample.id,
    splitOf(sample),
    ...(documents.length > 1 ? [`document ${index + 1} of ${documents.length}`] : []),
    ...(cutTokens > 0 ? [`cut by ${cutTokens} tokens`] : []),
    ...(lost ? [`in no shard: ${lost.fate}, ${lost.reason}`] : []),
  ];
}

function placeOf({ provenance: { file, line } }: Sample): string {
  return `${file}:${line}`;
}

function splitOf({ split }: Sample): string {
  return split === 'train' ? 'train split' : 'held-out split';
}

function pageRows(row: ShownRow): Parameters<typeof tokensPage>[0] {
  return row.documents.map((value, index) => ({
    title: placeOf(row.sample),
    subtitle: notesOf(row, index).join(' · '),
    value,
  }));
}

/** The plan of a recipe that says no more than the flags do. */
function planWithoutRecipe({ messages, model, set, learn = 'assistant' }: TokensFlags, { cwd }: CliContext): ShownPlan {
  if (messages === undefined || model === undefined)
    throw new MartletError('argument-missing', 'there is no recipe, and no rows with a model instead', {
      hint: 'Write martlet tokens recipe.yaml, or martlet tokens --messages rows.jsonl --model <address>.',
    });
  const recipe = {
    name: 'rows',
    base: model,
    data: { sources: [{ from: messages }], budget: { dropped: 1, truncated: 1 } },
    // Nothing is trained: no row is too long.
    render: { learn, lengthTokens: 2 ** 31 },
    eval: { tasks: [] },
  };
  const what = '--messages, --model and --learn';
  const read = readRecipe({ text: JSON.stringify(recipe), file: what, flags: set });
  if (!read.ok) throw issuesError(what, read.issues);
  const plan = resolvePlan({ ...read.value, facts: {}, resolvePath: (path) => resolve(cwd, path) });
  if (!plan.ok) throw issuesError(what, plan.issues);
  const { values, execution } = plan.value;
  // Nor does one need to be held out.
  const data = { ...values.data, split: { by: null, heldOut: null, share: 0 } };
  return { values: { ...values, base: [model], data }, execution };
}

/** @throws MartletError `row-missing` */
async function* keptRows(
  outcomes: ReturnType<typeof readSources>,
  ...[first, count]: [number, number]
): AsyncGenerator<Sample> {
  let seen = 0;
  for await (const { sample } of outcomes) {
    if (!sample || ++seen < first) continue;
    yield sample;
    if (seen === first + count - 1) return;
  }
  if (seen < first)
    throw new MartletError('row-missing', `there is no row ${first}: ${seen} rows are kept`, {
      hint: 'martlet data ledger <name> tells what became of the others, once martlet data build has run.',
    });
}

interface SummaryRequest {
  readonly outcomes: ReturnType<typeof readSources>;
  readonly values: PlanValues;
  readonly encoder: Encoder;
  readonly json: boolean;
}

async function showSummary(context: CliContext, { outcomes, values, encoder, json }: SummaryRequest): Promise<void> {
  const summaries = await summariseTokens(outcomes, { encoder, values });
  for (const summary of summaries) context.out(`${json ? JSON.stringify(summary) : formatSummary(summary)}\n`);
}

function asJson({ sample: { id, provenance }, documents, cutTokens, lost }: ShownRow, index: number): object {
  const value = documents[index];
  if (!value) throw new MartletError('bug', `document ${index} of ${documents.length} is not there`);
  const { ids, weights, offsets, origins, text, spans, turns, learnedTokens, lookalikes, cutSeams } = value;
  return {
    id,
    file: provenance.file,
    line: provenance.line,
    document: index + 1,
    documents: documents.length,
    cutTokens,
    lost,
    text,
    ids: Array.from(ids),
    weights: Array.from(weights),
    offsets: Array.from(offsets),
    origins,
    spans,
    turns,
    learnedTokens,
    lookalikes,
    cutSeams,
  };
}
