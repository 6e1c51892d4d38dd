import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeTinyModel } from '../testing/tiny-model.ts';
import type { CommandRow } from './commands.ts';
import { runMartlet } from './test-context.ts';

let cwd = '';
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'martlet-hints-'));
});
afterAll(() => rm(cwd, { recursive: true }));

test.each([
  ['data ledger nope', 'artefact-missing', /^fix +Make one with: bin\/martlet data build <recipe>/m],
  ['data why rows.jsonl:99', 'row-missing', /^fix +Make one with: bin\/martlet data build <recipe>/m],
  ['models remove nope', 'model-missing', /^fix +bin\/martlet models list shows/m],
  ['render --template nope.jinja --input rows.jsonl', 'file-unreadable', /there is no such file/],
  ['serve nope', 'artefact-missing', /Make one with: bin\/martlet export <recipe>\./],
])('%s says what to do instead', async (words, code, fix) => {
  const env = { MARTLET_HOME: join(cwd, 'home'), MARTLET_STORE: join(cwd, 'store') };
  const { exit, err } = await runMartlet(words.split(' '), { cwd, env, calledAs: 'bin/martlet' });
  expect(exit).toBe(1);
  expect(err).toContain(`[${code}]`);
  expect(err).toMatch(/^error /m);
  expect(err).toMatch(fix);
});

test('what is said on the way names commands as they were called, answers stay as they are', async () => {
  const table: CommandRow[] = [
    {
      name: 'plan',
      summary: '',
      load: async () => ({
        command: {
          register: (command, context) => {
            command.action(() => {
              context.err('warning: martlet verify render tells where (npx martlet setup x)\n');
              context.out('it said: martlet serve\n');
            });
          },
        },
      }),
    },
  ];
  const said = await runMartlet(['plan'], { calledAs: 'npx martlet' }, table);
  expect(said.err).toBe('warning: npx martlet verify render tells where (npx martlet setup x)\n');
  expect(said.out).toBe('it said: martlet serve\n');
});

test('the report of verify render names what to set up as the command was called', async () => {
  await writeTinyModel(join(cwd, 'tiny'), { seed: 1 });
  const messages = [
    { role: 'user', content: 'martlet plan' },
    { role: 'assistant', content: 'a' },
  ];
  await writeFile(join(cwd, 'rows.jsonl'), `${JSON.stringify({ messages })}\n`.repeat(4));
  await writeFile(join(cwd, 'recipe.yaml'), 'name: a\nbase: ./tiny\ndata: { sources: [{ from: rows.jsonl }] }\n');
  const env = { MARTLET_HOME: join(cwd, 'home'), MARTLET_STORE: join(cwd, 'store') };
  const { out } = await runMartlet(['verify', 'render', 'recipe.yaml'], { cwd, env, calledAs: 'bin/martlet' });
  expect(out).toMatch(/absent, not compared: .*: bin\/martlet setup llama-cpp/);
});
