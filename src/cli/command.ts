import type { Command } from 'commander';
import type { CliContext } from './context.ts';

/**
 * What `commands/<verb>.ts` exports as `command`. The table in `commands.ts` holds name and summary, so that `--help`
 * loads no command; a command is imported when it is called.
 */
export interface CommandModule {
  /** Adds arguments, options, subcommands and actions. An action that fails throws, or calls `context.setExitCode`. */
  register(command: Command, context: CliContext): void;
}
