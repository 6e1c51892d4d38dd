import { resolve } from 'node:path';
import { issuesError, MartletError } from '../../core/error.ts';
import { formatIssue } from '../../core/issue.ts';
import { martletHome } from '../../envs/home.ts';
import type { EncodedSample } from '../../render/index.ts';
import type { PlanValues } from '../../schema/plan.ts';
import { learnRules } from '../../schema/recipe.ts';
import type { Sample } from '../../schema/sample.ts';
import type { CommandModule } from '../command.ts';
import type { CliContext } from '../context.ts';
import { loadPlan } from '../load-plan.ts';
import { storeRoot } from '../store-root.ts';
import { collect } from './plan.ts';

interface TokensOptions {
  readonly row: string;
  readonly set: readonly string[];
  readonly base?: string;
  readonly messages?: string;
  readonly model?: string;
  readonly learn: string;
  readonly json?: boolean;
}

export const command: CommandModule = {
  register(tokens, context) {
    tokens
      .argument('[recipe]', 'the recipe file')
      .option('--row <n>', 'the row to show, counted from 1 over the rows that are kept', '1')
      .option('--set <path=value>', 'give a value of the recipe; may be repeated', collect, [])
      .option('--base <address>', 'look with the tokenizer and template of this model instead')
      .option('--messages <file>', 'without a recipe: rows in any format a recipe takes')
      .option('--model <address>', 'without a recipe: the model')
      .option('--learn <rule>', `without a recipe: which turns are learned (${learnRules.join(', ')})`, 'assistant')
      .option('--json', 'print ids, weights and where each token came from as one JSON line')
      .action(async (recipe: string | undefined, options: TokensOptions) => {
        const number = Number(options.row);
        if (!Number.isInteger(number) || number < 1)
          throw new MartletError('wrong-value', `--row ${options.row} is not a row`, { hint: 'Rows count from 1.' });
        const request =
          recipe === undefined ? withoutRecipe(options, context) : await fromRecipe(recipe, options, context);
        await showRow({ ...request, number, json: options.json ?? false }, context);
      });
  },
};

interface Request {
  readonly addresses: readonly string[];
  readonly data: PlanValues['data'];
  readonly render: Pick<PlanValues['render'], 'template' | 'learn' | 'system'>;
}

async function fromRecipe(file: string, ...[options, context]: [TokensOptions, CliContext]): Promise<Request> {
  const { plan } = await loadPlan({ file, flags: options.set, base: options.base, context });
  return { addresses: plan.values.base, data: plan.values.data, render: plan.values.render };
}

function withoutRecipe({ messages, model, learn }: TokensOptions, context: CliContext): Request {
  if (messages === undefined || model === undefined)
    throw new MartletError('argument-missing', 'there is no recipe, and no rows with a model instead', {
      hint: 'Write martlet tokens recipe.yaml, or martlet tokens --messages rows.jsonl --model <address>.',
    });
  const rule = learnRules.find((known) => known === learn);
  if (!rule)
    throw new MartletError('wrong-value', `--learn ${learn} is not a rule`, {
      hint: `Rules: ${learnRules.join(', ')}.`,
    });
  const from = resolve(context.cwd, messages);
  return {
    addresses: [model],
    data: {
      sources: [
        {
          ...{ from, format: 'auto', query: null, columns: null, media: null, textRows: 'file', options: null },
          ...{ sample: null, weight: null, limit: null, madeBy: null, licence: null },
        },
      ],
      ...{ mix: 'concat', mixStop: 'first-exhausted', seed: 0, maxRowMiB: 64 },
      split: { by: null, heldOut: null, share: 0 },
      budget: { dropped: 1, truncated: 1 },
    },
    render: { template: 'model', learn: rule, system: null },
  };
}

async function showRow(
  request: Request & { readonly number: number; readonly json: boolean },
  context: CliContext,
): Promise<void> {
  const { addresses, data, render, number, json } = request;
  // What opens models and reads rows is loaded by this command alone.
  const [{ openEncoder }, { resolveModel }, { formatTokens }] = await Promise.all([
    import('../../models/encoder.ts'),
    import('../../models/resolve.ts'),
    import('../../render/index.ts'),
  ]);
  const { cwd, env, signal } = context;
  const sample = await findRow(data, number, context);
  const log = (line: string): void => context.err(`${line}\n`);
  const { folder } = await resolveModel({ addresses, home: martletHome(env), env, cwd, log, signal });
  const encoder = await openEncoder({ folder, render, now: context.now() });
  const encoded = encoder.sample(sample);
  const { file, line } = sample.provenance;
  if (!encoded.ok) throw issuesError(`${file}:${line}`, encoded.issues);
  if (json) context.out(`${JSON.stringify(asJson(sample, encoded.value))}\n`);
  else {
    context.err(`${file}:${line}  ${sample.id}  ${sample.split}\n`);
    context.out(`${formatTokens(encoded.value, context)}\n`);
  }
  for (const issue of encoder.check(sample)) context.err(`${issue.severity} ${formatIssue(issue)}\n`);
}

/** @throws MartletError `row-missing`, `invalid-input` */
async function findRow(values: PlanValues['data'], ...[number, context]: [number, CliContext]): Promise<Sample> {
  const { readSources } = await import('../../pipeline.ts');
  const today = context.now().toISOString().slice(0, 10);
  const resolveFeedback = (address: string): string =>
    resolve(storeRoot(context), 'feedback', address.replace(/^feedback\//, ''), 'rows.jsonl');
  let seen = 0;
  for await (const { sample } of readSources({ values, today, resolveFeedback, signal: context.signal }))
    if (sample && ++seen === number) return sample;
  throw new MartletError('row-missing', `there is no row ${number}: ${seen} rows are kept`, {
    hint: 'martlet data build tells what became of the others.',
  });
}

function asJson({ id, provenance }: Sample, value: EncodedSample): Record<string, unknown> {
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
