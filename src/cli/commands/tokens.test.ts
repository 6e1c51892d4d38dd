import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openShards } from '../../store/shards/shard-reader.ts';
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

async function martlet(...argv: string[]) {
  return martletOn('2026-01-03T00:00:00Z', ...argv);
}

async function martletOn(moment: string, ...argv: string[]): Promise<{ exit: number; out: string; err: string }> {
  const env = { MARTLET_HOME: join(scratch, 'home') };
  return runMartlet(argv, { cwd: scratch, env, now: () => new Date(moment) });
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

describe('what is shown is what is in the shards', () => {
  const words = (count: number): string => Array.from({ length: count }, (_, index) => `w${index % 7}é`).join(' ');
  const rows = [
    {
      messages: [
        { role: 'user', content: 'short' },
        { role: 'assistant', content: 'row' },
      ],
    },
    {
      messages: [
        { role: 'user', content: words(20) },
        { role: 'assistant', content: 'long question' },
      ],
    },
    {
      messages: [
        { role: 'user', content: 'long answer' },
        { role: 'assistant', content: words(20) },
      ],
    },
  ];
  // Its rows say which day it is.
  const template = `{{ strftime_now('%d') }}{% for m in messages %}<|im_start|>{{ m.role }}
{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}{% endfor %}`;

  test.each([
    ['drop', 1, 3],
    ['truncate-prompt', 2, 2],
    ['truncate-answer', 3, 1],
    ['split', 2, 2],
  ] as const)('with render.overflow: %s', async (overflow, kept, lost) => {
    const folder = join(scratch, overflow);
    await mkdir(folder);
    await writeFile(join(folder, 'rows.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    await writeFile(join(folder, 'text.txt'), words(60));
    await writeFile(join(folder, 'day.jinja'), template);
    await writeFile(
      join(folder, 'recipe.yaml'),
      [
        'name: shown',
        'base: ../model',
        'data: { sources: [{ from: rows.jsonl }, { from: text.txt }], split: { share: 0 }, budget: { dropped: 1, truncated: 1 } }',
        `render: { template: day.jinja, lengthTokens: 60, overflow: ${overflow} }`,
        'eval: { tasks: [] }',
        'export: { formats: [] }',
        '',
      ].join('\n'),
    );
    const recipe = join(overflow, 'recipe.yaml');
    const store = ['--store', join(folder, 'store')];
    const built = await martlet(...store, 'shard', recipe);
    expect(built.exit, built.err).toBe(0);
    // Shards that are there are used on later days too.
    const { out } = await martletOn('2026-02-27T09:30:00Z', ...store, 'tokens', recipe, '--rows', '4', '--json');
    const shown = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    using reader = await openShards(join(folder, 'store/shards/shown@1'));
    const inShards = Array.from({ length: reader.manifest.splits.train.documents }, (_, index) => {
      const { ids, weights } = reader.document('train', index);
      const { id, cutTokens } = reader.rowOf('train', index);
      return { id, cutTokens, ids: [...ids], weights: [...weights] };
    });
    const inTokens = shown.filter(({ lost }) => lost === null);
    expect(inTokens.map(({ id, cutTokens, ids, weights }) => ({ id, cutTokens, ids, weights }))).toEqual(inShards);
    expect(new Set(inShards.map(({ id }) => id)).size).toBe(kept);
    const lostRows = shown.filter((row) => row.lost !== null);
    expect(lostRows.map((row) => ({ id: row.id, place: `${row.file}:${row.line}`, ...row.lost }))).toEqual(
      reader.manifest.lost,
    );
    expect(lostRows).toHaveLength(lost);
    expect(shown[0].text).toMatch(/^03<\|im_start\|>user/);
    for (const { ids, offsets, text, cutTokens, documents } of shown) {
      expect(offsets).toHaveLength(2 * ids.length);
      expect([offsets[0], Math.max(...offsets)]).toEqual([0, text.length]);
      if (overflow === 'split' && documents > 1) expect([cutTokens, ids.length]).toEqual([0, expect.any(Number)]);
    }
    const summary = await martlet(...store, 'tokens', recipe, '--summary', '--json');
    // The ledger and the story of a row say the same.
    const ledger = await martlet(...store, 'data', 'ledger', 'shown');
    expect(ledger.out).toContain(`shards shown@1: ${kept} rows to train on, 0 held out, ${lost} lost`);
    const file = join(folder, `ledger-${overflow}.html`);
    await martlet(...store, 'data', 'ledger', 'shown', '--html', file);
    const page = await readFile(file, 'utf8');
    expect(page).toContain(`shards shown@1: ${kept} rows to train on, 0 held out, ${lost} lost`);
    for (const row of lostRows.slice(0, 1)) expect(page).toContain(`${row.file}:${row.line}<br>`);
    for (const { file, line, lost: why, cutTokens } of shown) {
      const story = await martlet(...store, 'data', 'why', `${file}:${line}`);
      expect(story.out).toContain(why ? `lost in shards shown@1: ${why.fate}, ${why.reason}` : 'in shards shown@1: ');
      if (cutTokens > 0) expect(story.out).toContain(`, cut by ${cutTokens}, step 1`);
    }
    const summaries = summary.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const sum = (key: string): number => summaries.reduce((total, each) => total + each[key], 0);
    const { splits, truncated, split } = reader.manifest;
    expect(['rows', 'tokens', 'truncatedRows', 'splitRows'].map(sum)).toEqual([
      splits.train.rows,
      splits.train.tokens,
      truncated,
      split,
    ]);
  });
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

test('flags of which one would be ignored are refused, both named', async () => {
  for (const [words, both, fix] of [
    [
      ['recipe.yaml', '--learn', 'nonsense'],
      '--learn has no effect beside the recipe recipe.yaml',
      '--set render.learn=nonsense',
    ],
    [
      ['recipe.yaml', '--model', 'hf:nope/nope'],
      '--model has no effect beside the recipe recipe.yaml',
      '--base hf:nope/nope',
    ],
    [['recipe.yaml', '--messages', 'gone.jsonl'], '--messages has no effect', '--set data.sources[0].from=gone.jsonl'],
    [['--messages', 'rows.jsonl', '--base', 'model'], '--base has no effect beside --messages', '--model model'],
    [['recipe.yaml', '--summary', '--row', '2'], '--row has no effect beside --summary', 'all rows'],
    [['recipe.yaml', '--html', 'page.html', '--json'], '--json has no effect beside --html', 'leave out'],
  ] as const) {
    const { err, out, exit } = await martlet('tokens', ...words);
    expect({ out, exit }).toEqual({ out: '', exit: 2 });
    expect(err).toContain(both);
    expect(err).toContain(fix);
  }
});

test('without a recipe, values of one can be given all the same', async () => {
  await writeFile(join(scratch, 'odd.jsonl'), '{"frage": "Sky?", "antwort": "blue"}\n');
  const rows = ['tokens', '--messages', 'odd.jsonl', '--model', 'model', '--json'];
  expect((await martlet(...rows)).exit).not.toBe(0);
  const { out } = await martlet(...rows, '--set', 'data.sources[0].columns={frage: query, antwort: response}');
  expect(JSON.parse(out).text).toContain('blue');
});

test('a template that is not there is told with its place and the nearest file', async () => {
  await writeFile(join(scratch, 'chat.jinja'), '{{ messages }}');
  for (const command of [['tokens'], ['verify', 'render']]) {
    const flag = await martlet(...command, 'recipe.yaml', '--set', 'render.template=chta.jinja');
    expect(flag.exit).toBe(2);
    expect(flag.err).toMatch(
      /--set:1:\d+ render\.template: there is no .*chta\.jinja\. Did you mean chat\.jinja\? \[file-unreadable\]/,
    );
  }
});
