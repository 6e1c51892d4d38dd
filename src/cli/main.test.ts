import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { issuesError, MartletError } from '../core/error.ts';
import type { CommandRow } from './commands.ts';
import { commands } from './commands.ts';
import type { CliContext } from './context.ts';
import { storeRoot } from './store-root.ts';
import { runMartlet } from './test-context.ts';

function row(name: string, action: (context: CliContext) => void | Promise<void>, loaded: string[] = []): CommandRow {
  const load: CommandRow['load'] = async () => {
    loaded.push(name);
    const register = (command: import('commander').Command, context: CliContext): void => {
      command
        .argument('[recipe]')
        .option('--set <key=value>')
        .action(() => action(context));
    };
    return { command: { register } };
  };
  return { name, summary: `${name}s something`, load };
}

/** Runs `martlet <line>` and gives all it said. */
const run = (line: string, table: readonly CommandRow[], given: Partial<CliContext> = {}) =>
  runMartlet(line.split(' ').filter(Boolean), { columns: 80, ...given }, table);

test('help lists every command and loads none', async () => {
  const loaded: string[] = [];
  const table = [row('plan', () => {}, loaded), row('train', () => {}, loaded)];
  const { exit, out } = await run('--help', table);
  expect(exit).toBe(0);
  expect(out).toMatch(/plan\s+plans something\n\s+train\s+trains something/);
  expect(loaded).toEqual([]);
  expect(await run('', table)).toEqual({ exit: 0, out, err: '' });
  expect((await run('help train', table)).out).toContain('--set <key=value>');
});

test('a command is loaded alone, and says how it ended', async () => {
  const loaded: string[] = [];
  const table = [row('plan', () => {}, loaded), row('train', (context) => context.setExitCode(1), loaded)];
  expect((await run('train r.yaml', table)).exit).toBe(1);
  expect((await run('plan r.yaml --set a=b', table)).exit).toBe(0);
  expect(loaded).toEqual(['train', 'plan']);
});

test.each([
  ['trian', "unknown command 'trian'", 'Did you mean train?'],
  ['train --ste a=b', "unknown option '--ste'", 'Did you mean --set?'],
  ['--stroe x train', "unknown option '--stroe'", 'Did you mean --store?'],
  ['train a b', 'too many arguments', '--help'],
])('%s is wrong input, with the nearest name there is', async (line, message, hint) => {
  const { exit, err, out } = await run(line, [row('plan', () => {}), row('train', () => {})]);
  expect(err).toContain(message);
  expect(err).toContain(hint);
  expect({ exit, out }).toEqual({ exit: 2, out: '' });
});

test('a failure is told with message, code and fix', async () => {
  const failing = row('train', () => {
    throw new MartletError('disk-full', 'the disk is full', { hint: 'Free 2 GiB.' });
  });
  expect(await run('train', [failing])).toEqual({
    exit: 1,
    out: '',
    err: 'error the disk is full [disk-full]\nfix   Free 2 GiB.\n',
  });
});

test('a fix names the command as it was called', async () => {
  const failing = row('train', () => {
    throw new MartletError('environment-missing', 'x is missing', { hint: 'Make it with: martlet setup x' });
  });
  expect((await run('train', [failing], { calledAs: 'npx martlet' })).err).toContain('with: npx martlet setup x\n');
});

test('wrong input is told whole, each issue once', async () => {
  const issues = ['a', 'b'].map(
    (key) => ({ code: 'unknown-key', severity: 'error', path: [key], message: 'no such key.' }) as const,
  );
  const known = await run('plan', [
    row('plan', () => {
      throw issuesError('recipe.yaml', issues);
    }),
  ]);
  expect(known.exit).toBe(2);
  expect(known.err).toBe(
    'error recipe.yaml has 2 problems:\n  a: no such key. [unknown-key]\n  b: no such key. [unknown-key] [invalid-input]\n',
  );
  const apart = await run('plan', [
    row('plan', () => {
      throw new MartletError('invalid-row', 'rows are wrong', { issues });
    }),
  ]);
  expect(apart.err).toBe(
    'error rows are wrong [invalid-row]\n  a: no such key. [unknown-key]\n  b: no such key. [unknown-key]\n',
  );
});

test('what is no error of ours keeps its stack; what the system said needs none', async () => {
  const bug = await run('plan', [
    row('plan', () => {
      throw new TypeError('x is undefined');
    }),
  ]);
  expect(bug.exit).toBe(1);
  expect(bug.err).toMatch(/TypeError: x is undefined\n\s+at .*main\.test\.ts/);
  const missing = await run('plan', [row('plan', async () => void (await mkdir('/proc/nothing/here')))]);
  expect(missing.err).toMatch(/^error ENOENT: .*\n$/);
});

test('an interruption is no failure', async () => {
  const controller = new AbortController();
  const waiting = row('train', async (context) => {
    controller.abort(new DOMException('interrupted by SIGINT', 'AbortError'));
    context.signal.throwIfAborted();
  });
  expect(await run('train', [waiting], { signal: controller.signal })).toMatchObject({
    exit: 130,
    err: 'stop  interrupted [stopped]\nnext  Give the same command again.\n',
  });
});

test('the store is what --store says, then MARTLET_STORE, then the nearest .martlet, then one here', async () => {
  const base = mkdtempSync(join(tmpdir(), 'martlet-cli-'));
  onTestFinished(() => rmSync(base, { recursive: true }));
  await mkdir(join(base, 'project/.martlet'), { recursive: true });
  await mkdir(join(base, 'project/deep/er'), { recursive: true });
  const show = row('plan', (context) => context.out(storeRoot(context)));
  const root = async (line: string, cwd: string, env = {}) => (await run(line, [show], { cwd, env })).out;
  const deep = join(base, 'project/deep/er');
  expect(await root('plan', deep)).toBe(join(base, 'project/.martlet'));
  expect(await root('plan', base)).toBe(join(base, '.martlet'));
  expect(await root('plan', deep, { MARTLET_STORE: '../s' })).toBe(join(base, 'project/deep/s'));
  expect(await root('plan --store mine', deep, { MARTLET_STORE: '/s' })).toBe(join(deep, 'mine'));
  expect(await root('--store mine plan', deep)).toBe(join(deep, 'mine'));
});

test('every command of the table loads and describes itself', async () => {
  for (const { name } of commands) {
    const { exit, out } = await run(`${name} --help`, commands);
    expect({ name, exit }).toEqual({ name, exit: 0 });
    expect(out).toContain(`martlet ${name}`);
  }
  expect(new Set(commands.map((one) => one.name)).size).toBe(commands.length);
});
