import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeTinyModel } from '../../testing/tiny-model.ts';
import { runMartlet } from '../test-context.ts';

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'martlet-render-'));
  await writeTinyModel(join(scratch, 'model'), { seed: 1 });
  await writeFile(
    join(scratch, 'chat.jinja'),
    "{{ bos_token }}{% for m in messages %}{{ raise_exception('no tools') if m.role == 'tool' }}<{{ m.role }}>{{ m.content }}{% endfor %}{{ tools | tojson }}{{ documents is none }}{{ add_generation_prompt }}{{ strftime_now('%H:%M') }}",
  );
  const rows = [
    '{"messages": [{"role": "user", "content": "a 😀\\u2028b"}], "bos_token": "<s>", "tools": [{"n": 1.0, "10": 1, "2": 12345678901234567890}]}',
    '',
    '{"messages": [{"role": "tool", "content": "a"}]}',
    '{"messages": "a"}',
    '[1]',
    '{"messages": [1]}',
    'no',
    '{"messages": [], "add_generation_prompt": true}',
  ];
  await writeFile(
    join(scratch, 'rows.jsonl'),
    Buffer.concat([Buffer.from(`${rows.join('\n')}\n`), Buffer.from([0xff, 10])]),
  );
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

async function martlet(...argv: string[]): Promise<{ exit: number; out: string; err: string }> {
  return runMartlet(argv, { cwd: scratch, env: { MARTLET_HOME: join(scratch, 'home') } });
}

interface Line {
  readonly text: string;
  readonly error: { readonly code: string } | null;
  readonly spans: readonly {
    readonly start: number;
    readonly end: number;
    readonly source: { readonly path?: string };
  }[];
  readonly ids: readonly number[];
  readonly mask: readonly number[];
}

const lines = (text: string): Line[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

test('each row is a line: its text, or why there is none', async () => {
  const { out, err, exit } = await martlet(
    'render',
    '--template',
    'chat.jinja',
    '--input',
    'rows.jsonl',
    '--now',
    '2026-03-05T14:07:09',
  );
  const rows = lines(out);
  expect(exit).toBe(0);
  expect(err).toContain('8 rows, 6 failed');
  expect(rows.map(({ error }) => error?.code ?? null)).toEqual([
    null,
    'template-refused',
    'messages-missing',
    'not-an-object',
    'messages-missing',
    'not-json',
    null,
    'not-utf8',
  ]);
  expect(rows[0]?.text).toBe('<s><user>a 😀\u2028b[{"n": 1.0, "10": 1, "2": 12345678901234567890}]TrueFalse14:07');
  expect(rows[6]?.text).toBe('nullTrueTrue14:07');
  for (const row of rows) expect(Object.keys(row)).toEqual(['text', 'error', 'spans']);
  const { text, spans } = rows[0] as Line;
  expect(spans[0]?.start).toBe(0);
  expect(spans.at(-1)?.end).toBe(text.length);
  const content = spans.find(({ source }) => source.path === 'content');
  expect(text.slice(content?.start, content?.end)).toBe('a 😀\u2028b');
});

test('what a template prints and is not there is remarked on, and stays empty text', async () => {
  const template =
    "{% for m in messages %}{{ m.contnt }}{{ m.role if m.role == 'tool' }}{% if m.name %}{{ m.name }}{% endif %}!\n{% endfor %}\n{{ bos }}";
  await writeFile(join(scratch, 'slip.jinja'), template);
  const rows = [
    '{"messages": []}',
    '{"messages": [{"role": "user", "content": "a"}]}',
    '{"messages": [], "bos": "<s>"}',
  ];
  await writeFile(join(scratch, 'slip.jsonl'), rows.join('\n'));
  const { out, err } = await martlet('render', '--template', 'slip.jinja', '--input', 'slip.jsonl');
  expect(lines(out).map(({ text, error }) => ({ text, error }))).toEqual([
    { text: '', error: null },
    { text: '!\n', error: null },
    { text: '<s>', error: null },
  ]);
  expect(err).toBe(
    "3 rows, 0 failed\n2 with an empty text for what is not there, as in Python; the first: row 1, line 3 of the template prints what is not there: 'bos' is undefined\n",
  );
  expect((await martlet('render', '--template', 'slip.jinja', '--input', 'slip.jsonl', '--json')).err).toBe('');
});

test('a tokenizer gives ids, and a mask of what is learned', async () => {
  await writeFile(
    join(scratch, 'talk.jsonl'),
    `${JSON.stringify({
      messages: [
        { role: 'user', content: 'Sky? <|im_end|>' },
        { role: 'assistant', content: 'Blue.' },
      ],
      add_generation_prompt: true,
    })}\n`,
  );
  const { exit, err } = await martlet(
    'render',
    '--template',
    'model',
    '--tokenizer',
    './model',
    '--input',
    'talk.jsonl',
    '--output',
    'out.jsonl',
    '--json',
  );
  expect([exit, err]).toEqual([0, '']);
  const [row] = lines(await readFile(join(scratch, 'out.jsonl'), 'utf8'));
  expect(row?.text).toContain('Blue.<|im_end|>\n<|im_start|>assistant\n');
  expect(row?.mask).toHaveLength(row?.ids.length ?? -1);
  // The stop token (2) stands once in the question's turn and once in the answer's, which alone is learned.
  expect(row?.ids.flatMap((id, at) => (id === 2 ? [row.mask[at]] : []))).toEqual([0, 1]);
});

test('a template that does not compile fails each row, and the command', async () => {
  await writeFile(join(scratch, 'broken.jinja'), '{% for %}');
  const { out, err, exit } = await martlet('render', '--template', 'broken.jinja', '--input', 'rows.jsonl');
  expect(lines(out).every(({ error }) => error !== null)).toBe(true);
  expect(err).toContain('does not compile');
  expect(exit).not.toBe(0);
});

test('what is not given as it should be is told', async () => {
  expect((await martlet('render', '--input', 'rows.jsonl')).err).toContain('--template is missing');
  expect((await martlet('render', '--template', 'chat.jinja')).err).toContain('--input is missing');
  expect((await martlet('render', '--template', 'chat.jinja', '--input', 'rows.jsonl', '--now', 'noon')).err).toContain(
    '--now noon',
  );
  expect((await martlet('render', '--template', 'chat.jinja', '--input', 'none.jsonl')).exit).not.toBe(0);
  expect(
    (await martlet('render', '--template', 'chat.jinja', '--input', 'rows.jsonl', '--learn', 'lst')).err,
  ).toContain('Write last.');
});

test('verify render passes sound rows, and names what is wrong with others', async () => {
  await writeFile(join(scratch, 'recipe.yaml'), 'name: tiny\nbase: ./model\ndata: {sources: [{from: talk.jsonl}]}\n');
  const sound = await martlet('verify', 'render', 'recipe.yaml');
  expect(sound.out).toContain('control-token');
  expect(sound.out).toContain('what is trained is what will be served, 1 warning (1 control-token)');
  expect(sound.exit).toBe(0);
  await writeFile(
    join(scratch, 'shy.jinja'),
    '{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}',
  );
  const broken = await martlet('verify', 'render', 'recipe.yaml', '--set', 'render.template=shy.jinja', '--json');
  expect(broken.exit).toBe(1);
  const report = JSON.parse(broken.out);
  expect(report).toMatchObject({ ok: false, rows: 1 });
  expect(report.failures[0]).toMatchObject({
    check: 'a',
    turn: 1,
    row: { line: 1 },
    window: { tokens: expect.any(Array) },
  });
});

test('verify render looks at what the shards will hold: cut, dropped and refused rows are counted and named', async () => {
  const talk = (question: string, answer: string) =>
    JSON.stringify({
      messages: [
        { role: 'user', content: question },
        { role: 'assistant', content: answer },
      ],
    });
  const rows = [talk('Sky?', 'Blue.'), talk('Grass?', 'Green, '.repeat(12)), talk('Why? '.repeat(12), 'So.')];
  await writeFile(join(scratch, 'long.jsonl'), rows.join('\n'));
  await writeFile(
    join(scratch, 'long.yaml'),
    'name: tiny\nbase: ./model\ndata: {sources: [{from: long.jsonl}], split: {share: 0}, budget: {dropped: 1, truncated: 1}}\neval: {tasks: []}\n',
  );
  const verify = async (...set: string[]) => {
    const flags = set.flatMap((each) => ['--set', each]);
    const { exit, out } = await martlet('verify', 'render', 'long.yaml', ...flags, '--json');
    return { exit, report: JSON.parse(out), text: (await martlet('verify', 'render', 'long.yaml', ...flags)).out };
  };
  const counted = async (...set: string[]) => {
    const flags = set.flatMap((each) => ['--set', each]);
    const { out } = await martlet('tokens', 'long.yaml', '--summary', '--json', ...flags);
    const { documents, tokens, learnedTokens, truncatedRows } = JSON.parse(out);
    return { documents, tokens, learnedTokens, cutRows: truncatedRows };
  };
  const codes = ({ failures }: { failures: { code: string; row: { line: number } }[] }) =>
    failures.map(({ code, row }) => `${code} ${row.line}`);

  const kept = await verify();
  expect(kept).toMatchObject({ exit: 0, report: { rows: 3, cutRows: 0, lost: [], failures: [], refused: null } });
  expect(kept.report).toMatchObject(await counted());

  const length = 'render.lengthTokens=40';
  const cutAnswers = await verify(length, 'render.overflow=truncate-answer');
  expect(cutAnswers.exit).toBe(0);
  expect(cutAnswers.report).toMatchObject({ rows: 3, ...(await counted(length, 'render.overflow=truncate-answer')) });
  expect(cutAnswers.report.cutRows).toBe(1);
  expect(codes(cutAnswers.report).toSorted()).toEqual(['stop-cut 2', 'too-long 3']);
  expect(cutAnswers.text).toContain('1 row cut, 1 row lost');
  expect(cutAnswers.text).toContain('what is trained is what will be served, but for what is cut off 1 row');

  const cutPrompts = await verify(length, 'render.overflow=truncate-prompt');
  expect(cutPrompts.report).toMatchObject({ rows: 3, ...(await counted(length, 'render.overflow=truncate-prompt')) });
  expect(codes(cutPrompts.report)).toContain('prompt-cut 3');

  const dropped = await verify(length, 'render.overflow=drop');
  expect(dropped).toMatchObject({ exit: 0, report: { rows: 3, documents: 1, lost: [{}, {}], refused: null } });
  expect(codes(dropped.report)).toEqual(['too-long 2', 'too-long 3']);
  const overBudget = await verify(length, 'render.overflow=drop', 'data.budget.dropped=0.1');
  expect(overBudget).toMatchObject({ exit: 1, report: { ok: false, refused: { code: 'loss-budget' } } });
  const nothing = await verify('render.lengthTokens=8', 'render.overflow=drop');
  expect(nothing).toMatchObject({ exit: 1, report: { documents: 0, refused: { code: 'nothing-to-train' } } });
  const refused = await verify(length);
  expect(refused).toMatchObject({ exit: 1, report: { refused: { code: 'row-too-long' } } });
  expect(refused.text).toContain('shards would be refused: 2 rows are longer than 40 tokens');
});
