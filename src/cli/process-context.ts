import { once } from 'node:events';
import { calledAs } from './called-as.ts';
import type { CliContext } from './context.ts';

/** One press of Ctrl-C may arrive twice: from the terminal, and from the `npm run` above us. */
const samePressMs = 500;

/** The context of this process. Signals are listened for from here on. */
export function processContext(): CliContext & { readonly exitCode: () => number } {
  const { stdout, stderr, stdin } = process;
  const env: Record<string, string | undefined> = { ...process.env };
  let exitCode = 0;
  return {
    cwd: process.cwd(),
    env,
    calledAs: calledAs(process.argv[1], { cwd: process.cwd(), env }),
    stdin,
    out: (text) => void stdout.write(text),
    drained: async () => {
      if (stdout.writableNeedDrain) await once(stdout, 'drain');
    },
    err: (text) => void stderr.write(text),
    isTerminal: stderr.isTTY === true,
    colour: wantsColour(env, stdout.isTTY === true),
    columns: stderr.columns ?? stdout.columns ?? 80,
    signal: interruptSignal(),
    now: () => new Date(),
    setExitCode: (code) => {
      exitCode = code;
    },
    exitCode: () => exitCode,
  };
}

/** https://no-color.org, https://force-color.org */
function wantsColour(env: CliContext['env'], isTerminal: boolean): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0';
  return isTerminal && env.TERM !== 'dumb';
}

function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  let first = Number.POSITIVE_INFINITY;
  const stop = (signal: NodeJS.Signals): void => {
    if (!controller.signal.aborted) {
      first = performance.now();
      if (signal === 'SIGINT')
        process.stderr.write('\nStopping as soon as nothing is lost; Ctrl-C again ends at once.\n');
      controller.abort(new DOMException(`interrupted by ${signal}`, 'AbortError'));
    } else if (performance.now() - first > samePressMs) process.exit(130);
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return controller.signal;
}
