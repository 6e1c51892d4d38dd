import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { commands } from '../../src/cli/commands.ts';

const martlet = (...args: string[]) => spawnSync(process.execPath, ['bin/martlet', ...args], { encoding: 'utf8' });

const node = (args: readonly string[]): number => {
  const started = performance.now();
  spawnSync(process.execPath, args);
  return performance.now() - started;
};

/**
 * Whether the command takes at most `limitMs` on a machine that starts an empty script in 30 ms. Both are the best of
 * several runs, one beside the other, so that what else runs here slows both.
 */
function answersWithin(limitMs: number, args: readonly string[]): boolean {
  let empty = Number.POSITIVE_INFINITY;
  let own = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 15; run++) {
    empty = Math.min(empty, node(['-e', '0']));
    own = Math.min(own, node(['bin/martlet', ...args]));
    if (own <= limitMs) return true;
  }
  return own <= limitMs * Math.max(1, empty / 30);
}

test('help is there within 150 ms', () => {
  expect(martlet('--help').status).toBe(0);
  expect(answersWithin(150, ['--help'])).toBe(true);
});

test.each([
  [['plam'], 'plan'],
  [['--stroe', 'x'], '--store'],
  [['plan', '--sett', 'a=b', 'recipe.yaml'], '--set'],
])('%s is answered within 300 ms with the nearest name', (args, nearest) => {
  const { status, stderr, stdout } = martlet(...args);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toContain(`Did you mean ${nearest}?`);
  expect(answersWithin(300, args)).toBe(true);
});

test.each(commands.map(({ name }) => name))('a wrong flag of %s is answered within 300 ms', (name) => {
  expect(martlet(name, '--no-such-flag').stderr).toMatch(/unknown (option|command)/);
  expect(answersWithin(300, [name, '--no-such-flag'])).toBe(true);
});

test('an unknown key of a recipe is answered within 300 ms with its line and the nearest key', () => {
  const folder = mkdtempSync(join(tmpdir(), 'martlet-start-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const recipe = join(folder, 'recipe.yaml');
  writeFileSync(recipe, 'name: a\nbase: hf:x/y\ndata: { sources: [{ from: rows.jsonl }] }\ntrian:\n  epochs: 1\n');
  const { status, stderr } = martlet('plan', recipe);
  expect(status).toBe(2);
  expect(stderr).toContain(`${recipe}:4:1 trian: `);
  expect(stderr).toContain('Write train.');
  expect(answersWithin(300, ['plan', recipe])).toBe(true);
});

test('a pipe that closes early is no failure', async () => {
  const child = spawn(process.execPath, ['bin/martlet', '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  let said = '';
  child.stderr.on('data', (bytes) => {
    said += bytes;
  });
  const [code] = await once(child, 'close');
  expect({ code, said }).toEqual({ code: 0, said: '' });
});

test('a first Ctrl-C asks the command to stop, a later one ends it; one press that arrives twice is one', async () => {
  const script = `
    const { processContext } = await import('./src/cli/process-context.ts');
    const { signal } = processContext();
    setInterval(() => {}, 1e6);
    signal.addEventListener('abort', () => {
      console.log('stopping');
      setTimeout(() => console.log('still stopping'), 700);
    });
    console.log('up');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said.push(text.trim());
    child.kill('SIGINT');
  });
  const [code] = await once(child, 'close');
  expect({ code, said }).toEqual({ code: 130, said: ['up', 'stopping', 'still stopping'] });
});

/** A checkout with the bootstrap and what `script` says, and no lock file entries to install. */
function smallCheckout(script: string): string {
  const root = mkdtempSync(join(tmpdir(), 'martlet-start-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  cpSync('tools/bootstrap.mjs', join(root, 'tools/bootstrap.mjs'));
  cpSync('bin', join(root, 'bin'), { recursive: true });
  writeFileSync(join(root, 'package-lock.json'), '{"packages":{}}');
  writeFileSync(join(root, 'script.ts'), script);
  return root;
}

test('the bootstrap passes arguments, output and exit code on', () => {
  const root = smallCheckout(
    'const all: string[] = process.argv.slice(2); console.log(all.join()); process.exitCode = 7;',
  );
  const run = spawnSync(process.execPath, ['tools/bootstrap.mjs', 'script.ts', 'a', '--b'], {
    cwd: root,
    encoding: 'utf8',
  });
  expect(run).toMatchObject({ status: 7, stdout: 'a,--b\n', stderr: '' });
});

/** Starts `script.ts` by the bootstrap, which gets the signal once the script says `up`. */
async function bootstrapSent(signal: NodeJS.Signals, root: string) {
  const child = spawn(process.execPath, ['tools/bootstrap.mjs', 'script.ts'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    if (text.includes('up')) child.kill(signal);
  });
  // The stream ends with the last process that holds it.
  const [code] = await once(child, 'close');
  return { code, said };
}

test('the bootstrap passes signals on', async () => {
  const root = smallCheckout(
    "process.on('SIGTERM', () => { console.log('stopping'); process.exit(3); }); setInterval(() => {}, 1e6); console.log('up');",
  );
  expect(await bootstrapSent('SIGTERM', root)).toEqual({ code: 3, said: 'up\nstopping\n' });
});

test('a script whose bootstrap is killed is asked to end, and may do so in its own way', async () => {
  const root = smallCheckout(`
    process.on('SIGTERM', () => { console.log('stopping'); process.exit(3); });
    setInterval(() => {}, 1e6);
    console.log('up');`);
  expect(await bootstrapSent('SIGKILL', root)).toEqual({ code: null, said: 'up\nstopping\n' });
});

/** With a command line that prints what it is given. */
function smallClone(): string {
  const root = smallCheckout('');
  mkdirSync(join(root, 'src/cli'), { recursive: true });
  writeFileSync(join(root, 'package.json'), '{"type":"module"}');
  writeFileSync(join(root, 'src/cli/main.ts'), 'export const main = (argv: string[]) => console.log(argv.join());');
  return root;
}

test('martlet in a fresh clone runs by way of the bootstrap', () => {
  const { PATH } = process.env;
  const run = spawnSync(process.execPath, [join(smallClone(), 'bin/martlet'), 'plan', '--json'], {
    encoding: 'utf8',
    env: { PATH },
  });
  expect(run).toMatchObject({ status: 0, stdout: 'plan,--json\n', stderr: '' });
});

test('martlet in a fresh clone installs; a registry that cannot be reached is one clear message with the fix', () => {
  const root = smallClone();
  const entry = { version: '1.0.0', integrity: 'sha512-x' };
  const manifest = { name: 'p', version: '1.0.0', dependencies: { 'left-out': '1.0.0' } };
  writeFileSync(join(root, 'package.json'), JSON.stringify(manifest));
  writeFileSync(
    join(root, 'package-lock.json'),
    JSON.stringify({ ...manifest, lockfileVersion: 3, packages: { '': manifest, 'node_modules/left-out': entry } }),
  );
  mkdirSync(join(root, 'home'));
  const { status, stderr } = spawnSync(process.execPath, ['bin/martlet', 'plan'], {
    cwd: root,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: join(root, 'home'), npm_config_registry: 'http://127.0.0.1:9/' },
  });
  expect(status).toBe(1);
  expect(stderr).toMatch(/could not reach the package registry \(ECONNREFUSED\)\.\nfix: check the network/);
});
