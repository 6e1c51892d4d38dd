/**
 * How a thread that is a file is started from any process. It has the options of Node of its own accord, V8's too, which it
 * refuses where they are named; only `--input-type`, which tells how a script of the command line is to be read, must be
 * kept from it.
 */
export function threadOptions(): { readonly execArgv?: string[] } {
  const others = process.execArgv.filter((each) => !each.startsWith('--input-type'));
  return others.length === process.execArgv.length ? {} : { execArgv: others };
}
