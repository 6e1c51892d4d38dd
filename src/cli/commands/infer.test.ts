import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeTinyModel } from '../../testing/tiny-model.ts';
import { runMartlet } from '../test-context.ts';

let cwd = '';
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'martlet-infer-'));
  await writeTinyModel(join(cwd, 'tiny'), { seed: 3, headDim: 16 });
});
afterAll(() => rm(cwd, { recursive: true }));

async function infer(input: string, text: string, ...more: string[]) {
  await writeFile(join(cwd, input), text);
  const env = { ...process.env, MARTLET_STORE: join(cwd, 'store') };
  const words = ['infer', '--base', 'tiny', '--input', input, '--max-length', '96', ...more];
  const { exit, out, err } = await runMartlet(words, { cwd, env });
  const rows = out === '' ? [] : out.trim().split('\n');
  return { exit, err, answers: rows.map((row) => JSON.parse(row)) };
}

test('every format of a source is asked, also rows that say the same, and an answer at the end is left out', async () => {
  const csv = await infer(
    'rows.csv',
    'query,response\nthe price,known\n"and\nso",x\nthe price,known\n',
    '--max-tokens',
    '4',
  );
  expect(csv).toMatchObject({ exit: 0, err: expect.not.stringContaining('error') });
  expect(csv.answers.map(({ line }) => line)).toEqual([2, 3, 5]);
  const lines = ['{"prompt": "the price"}', '', '{"prompt": "and\\nso"}'];
  const jsonl = await infer('rows.jsonl', lines.join('\n'), '--max-tokens', '4');
  expect(jsonl.answers.map(({ line }) => line)).toEqual([1, 3]);
  // The same question is the same question, however it is written.
  expect(jsonl.answers.map(({ digest, answer }) => [digest, answer])).toEqual(
    csv.answers.slice(0, 2).map(({ digest, answer }) => [digest, answer]),
  );
});

test('a limit counts the rows that are asked, and what questions have no use for is named', async () => {
  const rows = 'query,response\nthe price,\nand\nthe price,\n';
  const set = (...values: string[]) => values.flatMap((value) => ['--set', value]);
  const limited = await infer('limit.csv', rows, '--max-tokens', '2', ...set('data.sources[0].limit=1'));
  expect(limited.answers.map(({ line }) => line)).toEqual([2]);
  expect(limited.err).not.toContain('warning');
  const more = ['data.steps=[duplicates]', 'data.sources[0].limit=2', 'train.epochs=2'];
  const stepped = await infer(
    'steps.csv',
    'query\nthe price\nthe price\nthe price\n',
    '--max-tokens',
    '2',
    ...set(...more),
  );
  expect(stepped.answers.map(({ line }) => line)).toEqual([2, 3]);
  expect(stepped.err).toContain('warning not applied: data.steps, train.epochs.');
});

test('a table that waits for its answers is asked, in every form; an empty answer before the end is refused', async () => {
  const forms: Readonly<Record<string, string>> = {
    'query.csv': 'query,response\nthe price,\nthe price,known\n',
    'alpaca.csv': 'instruction,input,output\nthe price,,\nthe price,,known\n',
    'turns.jsonl': ['', 'known']
      .map((content) => {
        const messages = [
          { role: 'user', content: 'the price' },
          { role: 'assistant', content },
        ];
        return JSON.stringify({ messages });
      })
      .join('\n'),
  };
  for (const [file, text] of Object.entries(forms)) {
    const { exit, err, answers } = await infer(file, text, '--max-tokens', '4');
    expect(exit, `${file}: ${err}`).toBe(0);
    expect(answers[0].answer, file).toBe(answers[1].answer);
    expect(answers[0].answer, file).not.toBe('');
  }
  const turn = (role: string, content: string) => ({ role, content });
  const messages = [turn('user', 'a'), turn('assistant', ''), turn('user', 'b')];
  const broken = await infer('broken.jsonl', JSON.stringify({ messages }));
  expect(broken).toMatchObject({ exit: 2, err: expect.stringContaining('messages[1]: the assistant says nothing') });
});

test('what is wrong with rows is said once for each kind, with the first place and how many there are', async () => {
  const good = '{"messages": [{"role": "user", "content": "x"}]}';
  const bad = '{"messages": [{"role": "nobody", "content": "x"}]}';
  const { exit, err, answers } = await infer('bad.jsonl', [good, ...Array(200).fill(bad), 'no'].join('\n'));
  expect({ exit, answers }).toEqual({ exit: 2, answers: [] });
  expect(err).toContain('2 problems:');
  expect(err).toMatch(/bad\.jsonl:2:1 messages\[0\]\.role: .* 199 more like it\./);
  expect(err).toMatch(/bad\.jsonl:202:\d+ /);
});

test('of rows that do not fit the model the first are named, then how many there are', async () => {
  const rows = [
    'query,response',
    ...Array.from({ length: 6 }, (_, index) => `${'word '.repeat(90 + index)},x`),
    'the,x',
  ];
  const { exit, err, answers } = await infer('long.csv', rows.join('\n'), '--max-tokens', '2', '--output', 'out.jsonl');
  expect({ exit, answers }).toEqual({ exit: 1, answers: [] });
  expect(err.match(/long\.csv:\d+ the prompt has/g)).toHaveLength(3);
  expect(err).toContain('6 of 7 rows have no answer for that reason [context_length_exceeded]');
  const written = (await readFile(join(cwd, 'out.jsonl'), 'utf8')).trim().split('\n');
  expect(written).toHaveLength(7);
});

test('an input that is not there is told by its flag, before anything is loaded', async () => {
  const { exit, err } = await runMartlet(['infer', '--base', 'gone', '--input', 'nope.jsonl'], { cwd });
  expect(exit).toBe(2);
  expect(err).toMatch(/--input: there is no .*nope\.jsonl\. .*\[file-unreadable\]/);
  const inspected = await runMartlet(['data', 'inspect', 'nope.jsonl'], { cwd });
  expect(inspected.err).toMatch(/there is no .*nope\.jsonl/);
  expect(inspected.err).not.toMatch(/recipe|data\.sources/);
});

test('a file without its flag is told the flag', async () => {
  const { exit, err } = await runMartlet(['infer', 'qa.csv'], {});
  expect(exit).toBe(2);
  expect(err).toContain('a file of rows is named with --input: --input qa.csv');
});
