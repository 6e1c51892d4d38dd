import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command, CommanderError } from 'commander';
import { sayingCommands } from './called-as.ts';
import type { CommandRow } from './commands.ts';
import { commands } from './commands.ts';
import type { CliContext } from './context.ts';
import { printFailure } from './print/failure.ts';
import { processContext } from './process-context.ts';

/** `martlet`: runs one command in this process and sets its exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  // A pipe that is closed early (`martlet models | head -1`) has had what it wanted.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  const context = processContext();
  process.exitCode = await runCli(argv, { context, table: commands, exitCode: context.exitCode });
}

export interface RunCliOptions {
  readonly context: CliContext;
  readonly table: readonly CommandRow[];
  /** What a command that did not throw has set. */
  readonly exitCode: () => number;
}

/** Parses, loads the one command that is called, and runs it. @returns the exit code. */
export async function runCli(argv: readonly string[], options: RunCliOptions): Promise<number> {
  const env: Record<string, string | undefined> = { ...options.context.env };
  const context: CliContext = sayingCommands({ ...options.context, env });
  try {
    const program = frame(context).on('option:store', (folder: string) => {
      env.MARTLET_STORE = resolve(context.cwd, folder);
    });
    const called = calledCommand(argv);
    for (const row of options.table) {
      const command = program.command(row.name).description(row.summary);
      if (row.name === called) (await row.load()).command.register(command, context);
    }
    await program.parseAsync(argv.length > 0 ? [...argv] : ['--help'], { from: 'user' });
    return options.exitCode();
  } catch (error) {
    // Commander has printed its message already; what it refuses is wrong input.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    return printFailure(error, context);
  }
}

function frame(context: CliContext): Command {
  return new Command('martlet')
    .description('Fine-tune, evaluate, export, serve and audit language models, with proof.')
    .version(packageVersion(), '-V, --version')
    .option('--store <folder>', 'where artefacts stand (MARTLET_STORE; else the nearest .martlet)')
    .exitOverride()
    .configureOutput({
      writeOut: context.out,
      writeErr: context.err,
      getOutHasColors: () => context.colour,
      getErrHasColors: () => context.colour,
      getOutHelpWidth: () => context.columns,
      getErrHelpWidth: () => context.columns,
    })
    .showHelpAfterError('(--help lists what there is)')
    .showSuggestionAfterError();
}

/** The verb, so that only its module is loaded: the first word that is no option and no option's value. */
function calledCommand(argv: readonly string[]): string | undefined {
  const words = argv.filter((word, index) => !word.startsWith('-') && argv[index - 1] !== '--store');
  return words[0] === 'help' ? words[1] : words[0];
}

function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
