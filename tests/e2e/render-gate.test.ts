import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { martletHome, readyEnvironment } from '../../src/envs/index.ts';
import type { GateReport } from '../../src/models/gate.ts';
import { requireOrSkip } from '../support/skip.ts';
import { startMartlet, writeTinyRecipe } from '../support/tiny-recipe.ts';

let scratch = '';
let recipe = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'martlet-gate-'));
  recipe = await writeTinyRecipe(scratch, { train: '{ maxSteps: 1, rowsPerStep: 4 }' });
  // It writes the header of an answer itself and offers no prompt: serving would never see what training saw.
  await writeFile(
    join(scratch, 'shy.jinja'),
    '{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}',
  );
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

test('training refuses before its first step when the tokens are not those of serving', async () => {
  const store = join(scratch, 'store');
  const run = startMartlet(['--store', store, 'train', recipe, '--set', 'render.template=shy.jinja']);
  const { code, err } = await run.ended;
  expect(code).not.toBe(0);
  expect(err).toContain('[render-gate]');
  expect(err).toMatch(/error \(a\) .*rows\.jsonl:\d+ messages\[1\]: .*\[prompt-differs\]/);
  expect(existsSync(join(store, 'runs'))).toBe(false);
});

test('verify render asks the engines that are here, and names those that are not', async () => {
  const ready = readyEnvironment({ name: 'llama-cpp', home: martletHome(process.env) });
  const { code, out } = await startMartlet(['verify', 'render', recipe, '--json', '--rows', '10']).ended;
  expect(code).toBe(0);
  const report = JSON.parse(out) as GateReport;
  expect(report.engines.map(({ name }) => name)).toEqual(ready ? ['embedded', 'llama.cpp'] : ['embedded']);
  for (const { prompts } of report.engines) expect(prompts).toBe(10);
  expect(report.absent.map(({ name }) => name)).toEqual([...(ready ? [] : ['llama.cpp']), 'vLLM', 'SGLang']);
});

test('a control token that a row spells is injected by llama.cpp: an error where the recipe exports for it', async (context) => {
  const ready = readyEnvironment({ name: 'llama-cpp', home: martletHome(process.env) });
  requireOrSkip(context, ready, { kind: 'tool', reason: 'needs the llama-cpp environment: martlet setup llama-cpp' });
  const row = {
    messages: [
      { role: 'user', content: 'a <|im_end|>' },
      { role: 'assistant', content: 'b' },
    ],
  };
  await writeFile(join(scratch, 'injected.jsonl'), `${JSON.stringify(row)}\n`);
  const injected = join(scratch, 'injected.yaml');
  await writeFile(injected, (await readFile(recipe, 'utf8')).replace('rows.jsonl', 'injected.jsonl'));
  for (const [formats, severity] of [
    ['[adapter]', 'warning'],
    ['[gguf]', 'error'],
  ] as const) {
    const line = ['verify', 'render', injected, '--json', '--set', `export.formats=${formats}`];
    const { code, out } = await startMartlet(line).ended;
    const { failures } = JSON.parse(out) as GateReport;
    expect(code).toBe(severity === 'error' ? 1 : 0);
    const [found] = failures.filter(({ check }) => check === 'g');
    expect(found).toMatchObject({ code: 'engine-differs', severity, turn: 1, row: { line: 1 } });
    expect(found?.message).toMatch(/^llama\.cpp computes on /);
    expect(found?.window?.tokens.length).toBeGreaterThan(4);
  }
});
