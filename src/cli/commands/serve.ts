import { InvalidArgumentError } from 'commander';
import { MartletError } from '../../core/error.ts';
import { martletHome } from '../../envs/home.ts';
import { servingDefaults, startServing } from '../../pipeline.ts';
import { openStore } from '../../store/open-store.ts';
import type { Store } from '../../store/store.ts';
import type { CommandModule } from '../command.ts';
import type { CliContext } from '../context.ts';
import { progressLine } from '../print/progress-line.ts';
import { storeRoot } from '../store-root.ts';

interface ServeFlags {
  readonly base?: string;
  readonly host: string;
  readonly port: number;
  readonly slots: number;
  readonly maxLength: number;
  readonly waiting: number;
  readonly apiKey?: string;
  readonly json?: true;
}

export const command: CommandModule = {
  register(serve, context) {
    const { host, port, slots, maxLength, maxWaiting } = servingDefaults;
    serve
      .argument('[models...]', 'exported models: name@n, or name for the newest; the last one exported unless given')
      .option('--base <address>', 'the base model to serve as "base": hf:org/name@rev, a folder, a .gguf file ...')
      .option('--host <address>', 'where to listen; anything but this machine wants an API key', host)
      .option('--port <n>', 'which port; 0 takes any that is free', portNumber, port)
      .option('--slots <n>', 'answers of one model at a time', positive, slots)
      .option('--max-length <tokens>', 'most tokens of prompt and answer', positive, maxLength)
      .option('--waiting <n>', 'requests of one model that may wait; more are turned away', wholeNumber, maxWaiting)
      .option('--api-key <key>', 'demanded of every request (MARTLET_API_KEY)')
      .option('--json', 'print where it serves as one JSON line')
      .action((models: readonly string[], flags: ServeFlags) => run(models, flags, context));
  },
};

async function run(given: readonly string[], flags: ServeFlags, context: CliContext): Promise<void> {
  const { env, signal } = context;
  const { host, port, slots, maxLength, waiting: maxWaiting } = flags;
  const apiKey = flags.apiKey ?? env.MARTLET_API_KEY ?? null;
  const line = progressLine(context);
  const opened = await openServed(context, { models: given, base: flags.base, log: line.note });
  const serving = await startServing({
    ...opened,
    host,
    port,
    slots,
    maxLength,
    maxWaiting,
    apiKey,
    log: line.note,
  });
  const { url, models, deployment } = serving;
  const model = models.at(-1) ?? 'base';
  try {
    if (flags.json) context.out(`${JSON.stringify({ url, models, deployment: deployment.address })}\n`);
    else
      context.out(
        [
          `Serving ${models.join(', ')} at ${url}/v1 (deployment ${deployment.address}); Ctrl-C ends it`,
          curlLine({ url, model, key: apiKey !== null }),
          `  martlet chat --url ${url} --model ${model}\n`,
        ].join('\n'),
      );
    await aborted(signal);
    context.err('letting the running answers end; once more to stop now\n');
  } finally {
    await serving.close();
  }
}

/** What `serve` and `infer` answer with: the models named, else the last one exported, and the base. */
export async function openServed(
  context: CliContext,
  asked: {
    readonly models: readonly string[];
    readonly base: string | undefined;
    readonly log: (line: string) => void;
  },
) {
  const { env, signal, now: clock } = context;
  const { base: address, log } = asked;
  const home = martletHome(env);
  const store = await openStore({
    root: storeRoot(context),
    clock,
    who: env.MARTLET_USER ?? env.USER ?? 'unknown',
  });
  const models = asked.models.length > 0 || address !== undefined ? asked.models : [await lastExported(store)];
  let base: Awaited<ReturnType<typeof import('../../models/resolve.ts').resolveModel>> | undefined;
  if (address !== undefined) {
    const { resolveModel } = await import('../../models/resolve.ts');
    base = await resolveModel({ addresses: [address], home, env, log, signal, cwd: context.cwd });
  }
  return { store, models, base, home, env, clock, log };
}

async function lastExported(store: Store): Promise<string> {
  const models = await store.list('model');
  const [last] = models.toSorted((a, b) => b.lineage.createdAt.localeCompare(a.lineage.createdAt));
  if (last) return last.address;
  throw new MartletError('nothing-to-serve', `${store.root} holds no exported model`, {
    hint: 'Make one with martlet run <recipe>, or serve a base model with --base <address>.',
  });
}

/** The key itself is not printed: what a terminal shows is often kept. */
function curlLine({
  url,
  model,
  key,
}: {
  readonly url: string;
  readonly model: string;
  readonly key: boolean;
}): string {
  const headers = [
    "-H 'content-type: application/json'",
    ...(key ? ['-H "authorization: Bearer $MARTLET_API_KEY"'] : []),
  ];
  const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }] });
  return `  curl ${url}/v1/chat/completions ${headers.join(' ')} -d '${body}'`;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('Give a whole number.');
  return Number(text);
}

export function decimal(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('Give a number.');
  return value;
}

export function positive(text: string): number {
  const value = wholeNumber(text);
  if (value < 1) throw new InvalidArgumentError('Give a whole number from 1 on.');
  return value;
}

function portNumber(text: string): number {
  const value = wholeNumber(text);
  if (value > 65_535) throw new InvalidArgumentError('Ports go up to 65535.');
  return value;
}
