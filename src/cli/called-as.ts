import { existsSync } from 'node:fs';
import { basename, delimiter, dirname, isAbsolute, join, relative, sep } from 'node:path';
import type { CliContext } from './context.ts';

/**
 * How the person called `martlet`, so that a command we suggest runs as it is printed: the path of the script in a
 * checkout, `npx martlet` in a project that has it as a dependency, else the bare name.
 * @param script the file that Node was started with
 */
export function calledAs(script: string | undefined, { cwd, env }: Pick<CliContext, 'cwd' | 'env'>): string {
  if (script === undefined || basename(script) !== 'martlet') return 'martlet';
  const folder = dirname(script);
  if ((env.PATH ?? '').split(delimiter).includes(folder) && !env.npm_command) return 'martlet';
  if (folder.endsWith(join('node_modules', '.bin'))) return 'npx martlet';
  if (!existsSync(join(folder, '..', 'src', 'cli', 'main.ts'))) return 'martlet';
  const near = relative(cwd, script);
  const path = near.startsWith('..') || isAbsolute(near) ? script : near.includes(sep) ? near : `./${near}`;
  return /^[\w./@+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

/** A text with each command in it, such as `martlet setup gguf`, as the person would call it. */
export function withCommands(text: string, { calledAs }: Pick<CliContext, 'calledAs'>): string {
  return calledAs === undefined ? text : text.replace(/(?<![\w/.-]|npx )martlet(?= [a-z])/g, () => calledAs);
}

/** The context with the commands in all that it says on `err` as the person would call them. Results stay as they are. */
export function sayingCommands<Context extends Pick<CliContext, 'calledAs' | 'err'>>(context: Context): Context {
  return { ...context, err: (text: string) => context.err(withCommands(text, context)) };
}
