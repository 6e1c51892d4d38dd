import { MartletError } from '../../core/error.ts';
import {
  ensureEnvironment,
  ensureOnnxRuntime,
  environments,
  findEnvironment,
  martletHome,
  readyEnvironment,
  removeEnvironment,
  removeOnnxRuntime,
} from '../../envs/index.ts';
import { withCommands } from '../called-as.ts';
import type { CommandModule } from '../command.ts';
import type { CliContext } from '../context.ts';
import { progressLine } from '../print/progress-line.ts';
import { formatTable } from '../print/table.ts';

/** What can be set up by name: the environments, and the runtime of the embedded engine. */
const runtime = { name: 'onnxruntime', summary: 'the runtime of the embedded engine (fetched on first use anyway)' };

interface SetupOptions {
  readonly list?: boolean;
  readonly remove?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

export const command: CommandModule = {
  register(setup, context) {
    setup
      .argument('[names...]', 'what to set up; none lists what there is')
      .option('--list', 'list environments and whether they are ready')
      .option('--remove', 'remove them instead')
      .option('--force', 'build them anew')
      .option('--json', 'print the result as JSON')
      .action(async (names: readonly string[], options: SetupOptions) => {
        // All names are checked before the first is built: a build takes minutes.
        for (const name of names) if (name !== runtime.name) findEnvironment(name, [...environments, placeholder]);
        if (options.list || names.length === 0) list(context, options);
        else if (options.remove) await remove(names, context);
        else await build(names, { context, options });
      });
  },
};

/** So that a slip near `onnxruntime` is answered with it too. */
const placeholder = { ...runtime, kind: 'node', dependencies: {}, platformPackages: {} } as const;

function list(context: CliContext, { json }: SetupOptions): void {
  const home = martletHome(context.env);
  const rows = environments.map(({ name, summary }) => ({ name, summary, ...state(name, home) }));
  if (json) {
    context.out(`${JSON.stringify(rows, null, 2)}\n`);
    return;
  }
  const columns = [{ title: 'environment' }, { title: 'state' }, { title: 'what it is' }];
  const cells = rows.map(({ name, state, summary }) => [name, state, summary]);
  context.out(formatTable(columns, cells));
  context.out(`\nThey stand in ${home}. Build one with: ${withCommands('martlet setup <name>', context)}\n`);
}

function state(name: string, home: string): { state: string; folder?: string } {
  try {
    const ready = readyEnvironment({ name, home });
    return ready ? { state: 'ready', folder: ready.folder } : { state: 'not made' };
  } catch (error) {
    if (MartletError.is(error) && error.code === 'platform-unsupported') return { state: 'not for this platform' };
    throw error;
  }
}

async function remove(names: readonly string[], context: CliContext): Promise<void> {
  const home = martletHome(context.env);
  for (const name of names) {
    const folders = await (name === runtime.name ? removeOnnxRuntime(home) : removeEnvironment({ name, home }));
    context.err(
      folders.length > 0 ? folders.map((folder) => `removed ${folder}\n`).join('') : `${name} was not there\n`,
    );
  }
}

async function build(
  names: readonly string[],
  { context, options }: { context: CliContext; options: SetupOptions },
): Promise<void> {
  const home = martletHome(context.env);
  const made: { name: string; folder: string }[] = [];
  for (const name of names) {
    const line = progressLine(context);
    const shared = { home, env: context.env, log: line.update, signal: context.signal };
    try {
      if (name === runtime.name && options.force) await removeOnnxRuntime(home);
      const folder =
        name === runtime.name
          ? await ensureOnnxRuntime(shared)
          : (await ensureEnvironment({ name, force: options.force ?? false, ...shared })).folder;
      line.finish(`${name} is ready: ${folder}`);
      made.push({ name, folder });
    } catch (error) {
      line.finish();
      throw error;
    }
  }
  if (options.json) context.out(`${JSON.stringify(made, null, 2)}\n`);
}
