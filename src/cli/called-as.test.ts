import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { calledAs, withCommands } from './called-as.ts';

test('a command is suggested as it was called', async () => {
  const checkout = mkdtempSync(join(tmpdir(), 'martlet-called-'));
  onTestFinished(() => rmSync(checkout, { recursive: true }));
  await mkdir(join(checkout, 'src/cli'), { recursive: true });
  await writeFile(join(checkout, 'src/cli/main.ts'), '');
  const script = join(checkout, 'bin/martlet');
  const at = (cwd: string, env = {}, file: string | undefined = script) => calledAs(file, { cwd, env });
  expect(at(checkout)).toBe('bin/martlet');
  expect(at(join(checkout, 'bin'))).toBe('./martlet');
  expect(at('/elsewhere')).toBe(script);
  expect(at('/elsewhere', { PATH: `/usr/bin:${join(checkout, 'bin')}` })).toBe('martlet');
  expect(at('/p', {}, '/p/node_modules/.bin/martlet')).toBe('npx martlet');
  // npx puts the folder into PATH, but only for the time it runs.
  const npx = { PATH: '/p/node_modules/.bin:/usr/bin', npm_command: 'exec' };
  expect(at('/p', npx, '/p/node_modules/.bin/martlet')).toBe('npx martlet');
  expect(at('/p', {}, '/usr/local/bin/martlet')).toBe('martlet');
  expect(at('/p', {}, '/p/worker.js')).toBe('martlet');
  expect(calledAs(undefined, { cwd: '/p', env: {} })).toBe('martlet');
});

test('only commands are rewritten', () => {
  const context = { calledAs: 'bin/martlet' };
  expect(withCommands('Run `martlet review` first: martlet setup x.', context)).toBe(
    'Run `bin/martlet review` first: bin/martlet setup x.',
  );
  expect(withCommands('/opt/martlet here, Martlet is wrong', context)).toBe('/opt/martlet here, Martlet is wrong');
  expect(withCommands('martlet setup x', {})).toBe('martlet setup x');
});
