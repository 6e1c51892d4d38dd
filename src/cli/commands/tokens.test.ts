import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeTinyModel } from '../../testing/tiny-model.ts';
import { runMartlet } from '../test-context.ts';

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'martlet-tokens-'));
  await writeTinyModel(join(scratch, 'model'), { seed: 1 });
  const row = (question: string, answer: string): string =>
    JSON.stringify({
      messages: [
        { role: 'user', content: question },
        { role: 'assistant', content: answer },
      ],
    });
  await writeFile(join(scratch, 'rows.jsonl'), `${row('Sky?', 'blue')}\n${row('Grass?', 'green')}\n`);
  await writeFile(
    join(scratch, 'recipe.yaml'),
    'name: tiny\nbase: ./model\ndata:\n  sources:\n    - from: rows.jsonl\n',
  );
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

async function martlet(...argv: string[]): Promise<{ exit: number; out: string; err: string }> {
  return runMartlet(argv, { cwd: scratch, env: { MARTLET_HOME: join(scratch, 'home') } });
}

test('a recipe shows the tokens of a row, and which are learned', async () => {
  const { out, err, exit } = await martlet('tokens', 'recipe.yaml', '--row', '2');
  expect(out).toContain('⟦green<|im_end|>⟧');
  expect(out).toMatch(/\d+ tokens, 6 learned/);
  expect(err).toContain('marks: ‹template›  prompt, unmarked  ⟦learned⟧');
  expect(err).toMatch(/rows\.jsonl:2 {2}\S+ {2}(train|held-out) split\n/);
  expect(exit).toBe(0);
});

test('rows and a model do without a recipe', async () => {
  const { out } = await martlet('tokens', '--messages', 'rows.jsonl', '--model', 'model', '--json');
  const shown = JSON.parse(out);
  expect(shown.text).toContain('Sky?');
  expect(shown.ids).toHaveLength(shown.weights.length);
  const learned = shown.ids.filter((_: number, index: number) => shown.weights[index] > 0);
  expect(learned).toHaveLength(shown.learnedTokens);
  expect(learned.at(-1)).toBe(2);
});

test('a row that is not there is told with what is', async () => {
  const { err, exit } = await martlet('tokens', 'recipe.yaml', '--row', '3');
  expect(err).toContain('there is no row 3: 2 rows are kept');
  expect(exit).not.toBe(0);
});

test('a page stands alone, and escapes what rows say', async () => {
  const sly = { role: 'assistant', content: '</script><b>"x"</b>' };
  await writeFile(
    join(scratch, 'sly.jsonl'),
    `${JSON.stringify({ messages: [{ role: 'user', content: 'a' }, sly] })}\n`,
  );
  const { exit, err } = await martlet('tokens', '--messages', 'sly.jsonl', '--model', 'model', '--html', 'page.html');
  expect(exit).toBe(0);
  expect(err).toContain('page.html');
  const page = await readFile(join(scratch, 'page.html'), 'utf8');
  expect(page.match(/<script>/g)).toHaveLength(1);
  expect(page.match(/<\/script>/g)).toHaveLength(1);
  expect(page).not.toMatch(/(?:src|href)="(?!data:)/);
  expect(page).toContain('data-source="message 1 content"');
  expect(page).toContain('data-weight="1"');
  expect(page.match(/<span[^>]*tabindex="0"/g)).toHaveLength(1);
});

test('a page that cannot be written is told with the flag', async () => {
  const { exit, err } = await martlet('tokens', 'recipe.yaml', '--html', 'no/where.html');
  expect({ exit, err }).toMatchObject({ exit: 1, err: expect.stringContaining('[file-unwritable]') });
  expect(err).toContain('its folder does not exist');
  expect(err).toContain('--html');
});

test('a summary is a line a source', async () => {
  const { out } = await martlet('tokens', 'recipe.yaml', '--summary');
  expect(out).toMatch(
    /^\S*rows\.jsonl: 2 rows, \d+ tokens, [\d.]+ % learned, lengths \d+ .* \d+ \(median \d+\), 0 truncated\n$/,
  );
  const { out: json } = await martlet('tokens', 'recipe.yaml', '--summary', '--json');
  const summary = JSON.parse(json);
  expect(summary).toMatchObject({ rows: 2, documents: 2, truncatedRows: 0, lost: {} });
  expect(summary.histogram.reduce((sum: number, count: number) => sum + count, 0)).toBe(2);
  const { out: tight } = await martlet(
    'tokens',
    'recipe.yaml',
    '--summary',
    '--json',
    '--set',
    'render.lengthTokens=4',
  );
  expect(JSON.parse(tight)).toMatchObject({ rows: 0, lost: { 'too-long': 2 } });
});

test('several rows are shown one after the other', async () => {
  const { out } = await martlet('tokens', 'recipe.yaml', '--rows', '5', '--json');
  expect(out.trim().split('\n')).toHaveLength(2);
});

test('a rule that does not exist is told with the nearest', async () => {
  const { err, exit } = await martlet('tokens', '--messages', 'rows.jsonl', '--model', 'model', '--learn', 'last_rnd');
  expect(err).toContain('Write last_round.');
  expect(exit).not.toBe(0);
});

test('what is missing is named', async () => {
  const { err, exit } = await martlet('tokens');
  expect(err).toContain('--messages');
  expect(exit).not.toBe(0);
});
