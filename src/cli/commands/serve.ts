import { servingDefaults } from '../../core/serving-defaults.ts';
import { stoppedError } from '../../core/stopped.ts';
import { withCommands } from '../called-as.ts';
import type { CommandModule } from '../command.ts';
import type { CliContext } from '../context.ts';
import { portNumber, positive, wholeNumber } from '../option-values.ts';
import { progressLine } from '../print/progress-line.ts';

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
  const [{ startServing }, { openServed }] = await Promise.all([
    import('../../pipeline.ts'),
    import('../open-served.ts'),
  ]);
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
    if (signal.aborted) throw stoppedError('stopped before it served', { next: 'Give the same command again.' });
    if (flags.json) context.out(`${JSON.stringify({ url, models, deployment: deployment.address })}\n`);
    else
      context.out(
        [
          `Serving ${models.join(', ')} at ${url}/v1 (deployment ${deployment.address}); Ctrl-C ends it`,
          curlLine({ url, model, key: apiKey !== null }),
          `  ${withCommands('martlet chat', context)} --url ${url} --model ${model}\n`,
        ].join('\n'),
      );
    await aborted(signal);
  } finally {
    await serving.close();
  }
  // How a server ends: nothing was broken off.
  context.err(`Stopped serving; every answer it gave is on record: martlet review\n`);
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
