import { resolve } from 'node:path';
import { issuesError, MartletError } from '../core/error.ts';
import { formatIssue } from '../core/issue.ts';
import { martletHome } from '../envs/home.ts';
import { datasetFetcher } from '../models/dataset-fetcher.ts';
import { type Encoder, openEncoder } from '../models/encoder.ts';
import { resolveModel } from '../models/resolve.ts';
import { readSources } from '../pipeline.ts';
import { readRecipe, resolvePlan } from '../recipe/index.ts';
import { formatTokens, type RowDocument, tokensLegend, tokensPage } from '../render/index.ts';
import type { PlanValues } from '../schema/plan.ts';
import type { Sample } from '../schema/sample.ts';
import type { TokensFlags } from './commands/tokens.ts';
import type { CliContext } from './context.ts';
import { writePage } from './given-file.ts';
import { loadPlan } from './load-plan.ts';
import { storeRoot } from './store-root.ts';
import { formatSummary, summariseTokens } from './tokens-summary.ts';

/**
 * `martlet tokens`: rows as the exact tokens they become, in the terminal, as JSON or as a page; or one line a source.
 * @throws MartletError `row-missing`, `invalid-input`
 */
export async function showTokens(context: CliContext, recipe: string | undefined, flags: TokensFlags): Promise<void> {
  const values =
    recipe === undefined
      ? valuesWithoutRecipe(flags, context)
      : (await loadPlan({ file: recipe, flags: flags.set, base: flags.base, context })).plan.values;
  const { cwd, env, signal } = context;
  const log = (line: string): void => context.err(`${line}\n`);
  const { folder } = await resolveModel({ addresses: values.base, home: martletHome(env), env, cwd, log, signal });
  const encoder = await openEncoder({ folder, render: values.render, now: context.now() });
  if (flags.summary) return showSummary(context, { values, encoder, json: flags.json ?? false });

  const first = Number(flags.row);
  const shown: ShownRow[] = [];
  for await (const sample of keptRows(values, first, Number(flags.rows), context))
    shown.push(shownRow(sample, encoder));
  if (flags.html !== undefined) {
    const page = tokensPage(shown.flatMap(pageRows), (id) => encoder.tokenizer.tokenOf(id));
    return context.err(`wrote ${await writePage(flags.html, page, context)}\n`);
  }
  if (!flags.json && !context.colour) context.err(`marks: ${tokensLegend}\n`);
  for (const { sample, documents } of shown)
    for (const { value } of documents) {
      if (flags.json) {
        context.out(`${JSON.stringify(asJson(sample, value))}\n`);
        continue;
      }
      context.err(`${placeOf(sample)}  ${sample.id}  ${splitOf(sample)}\n`);
      context.out(`${formatTokens(value, context)}\n`);
    }
  for (const { sample } of shown)
    for (const issue of encoder.check(sample)) context.err(`${issue.severity} ${formatIssue(issue)}\n`);
}

interface ShownRow {
  readonly sample: Sample;
  readonly documents: readonly RowDocument[];
}

function shownRow(sample: Sample, encoder: Encoder): ShownRow {
  const row = encoder.row(sample);
  if (!row.ok) throw issuesError(placeOf(sample), row.issues);
  return { sample, documents: row.documents };
}

function placeOf({ provenance: { file, line } }: Sample): string {
  return `${file}:${line}`;
}

function splitOf({ split }: Sample): string {
  return split === 'train' ? 'train split' : 'held-out split';
}

function pageRows({ sample, documents }: ShownRow): Parameters<typeof tokensPage>[0] {
  return documents.map(({ value }, index) => ({
    title: placeOf(sample),
    subtitle: [
      sample.id,
      splitOf(sample),
      ...(documents.length > 1 ? [`document ${index + 1} of ${documents.length}`] : []),
    ].join(' · '),
    value,
  }));
}

/** The plan of a recipe that says no more than the flags do. */
function valuesWithoutRecipe({ messages, model, learn }: TokensFlags, { cwd }: CliContext): PlanValues {
  if (messages === undefined || model === undefined)
    throw new MartletError('argument-missing', 'there is no recipe, and no rows with a model instead', {
      hint: 'Write martlet tokens recipe.yaml, or martlet tokens --messages rows.jsonl --model <address>.',
    });
  const recipe = {
    name: 'rows',
    base: model,
    data: { sources: [{ from: messages }], budget: { dropped: 1, truncated: 1 } },
    render: { learn },
    eval: { tasks: [] },
  };
  const what = '--messages, --model and --learn';
  const read = readRecipe({ text: JSON.stringify(recipe), file: what, flags: [] });
  if (!read.ok) throw issuesError(what, read.issues);
  const plan = resolvePlan({ ...read.value, facts: {}, resolvePath: (path) => resolve(cwd, path) });
  if (!plan.ok) throw issuesError(what, plan.issues);
  const { values } = plan.value;
  // Nothing is trained: no row needs to be held out.
  return { ...values, base: [model], data: { ...values.data, split: { by: null, heldOut: null, share: 0 } } };
}

function sourcesOf({ data }: PlanValues, context: CliContext): ReturnType<typeof readSources> {
  const today = context.now().toISOString().slice(0, 10);
  const resolveFeedback = (address: string): string =>
    resolve(storeRoot(context), 'feedback', address.replace(/^feedback\//, ''), 'rows.jsonl');
  const { env, signal } = context;
  const log = (line: string): void => context.err(`${line}\n`);
  const fetchDataset = datasetFetcher({ home: martletHome(env), env, log, signal });
  return readSources({ values: data, today, resolveFeedback, fetchDataset, signal });
}

/** @throws MartletError `row-missing` */
async function* keptRows(
  values: PlanValues,
  ...[first, count, context]: [number, number, CliContext]
): AsyncGenerator<Sample> {
  let seen = 0;
  for await (const { sample } of sourcesOf(values, context)) {
    if (!sample || ++seen < first) continue;
    yield sample;
    if (seen === first + count - 1) return;
  }
  if (seen < first)
    throw new MartletError('row-missing', `there is no row ${first}: ${seen} rows are kept`, {
      hint: 'martlet data build tells what became of the others.',
    });
}

async function showSummary(
  context: CliContext,
  { values, encoder, json }: { readonly values: PlanValues; readonly encoder: Encoder; readonly json: boolean },
): Promise<void> {
  const summaries = await summariseTokens(sourcesOf(values, context), { encoder, render: values.render });
  for (const summary of summaries) context.out(`${json ? JSON.stringify(summary) : formatSummary(summary)}\n`);
}

function asJson({ id, provenance }: Sample, value: RowDocument['value']): Record<string, unknown> {
  const { ids, weights, offsets, origins, text, spans, turns, learnedTokens, lookalikes, cutSeams } = value;
  return {
    id,
    file: provenance.file,
    line: provenance.line,
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
