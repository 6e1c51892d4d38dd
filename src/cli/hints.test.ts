import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
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
