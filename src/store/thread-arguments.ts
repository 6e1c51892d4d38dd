/**
 * What Node was started with, for a thread to be started with too. `--input-type` tells how a script of the command line is
 * to be read, and a thread that is a file refuses it.
 */
export const threadArguments = (): string[] => process.execArgv.filter((each) => !each.startsWith('--input-type'));
