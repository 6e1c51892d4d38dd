import { type CommandRow, commands } from './commands.ts';
import type { CliContext } from './context.ts';
import { runCli } from './main.ts';

/** For tests: a context that keeps what is said, and what it was given beside that. */
export function testContext(given: Partial<CliContext> = {}) {
  const said = { out: '', err: '', code: 0 };
  const context: CliContext = {
    cwd: '/nowhere',
    env: {},
    stdin: process.stdin,
    out: (text) => {
      said.out += text;
    },
    err: (text) => {
      said.err += text;
    },
    isTerminal: false,
    colour: false,
    columns: 100,
    signal: new AbortController().signal,
    now: () => new Date('2026-01-03T00:00:00Z'),
    setExitCode: (code) => {
      said.code = code;
    },
    ...given,
  };
  return { context, said };
}

/** For tests: `martlet <argv>` in this process. */
export async function runMartlet(
  argv: readonly string[],
  given: Partial<CliContext> = {},
  table: readonly CommandRow[] = commands,
): Promise<{ readonly exit: number; readonly out: string; readonly err: string }> {
  const { context, said } = testContext(given);
  const exit = await runCli([...argv], { context, table, exitCode: () => said.code });
  return { exit, out: said.out, err: said.err };
}
