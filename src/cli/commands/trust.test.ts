import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { MartletError } from '../../core/error.ts';
import { judge, listAnswers } from '../../pipeline.ts';
import { type ChainFixture, writeChain } from '../../store/trace/fixture.ts';
import type { CliContext } from '../context.ts';
import { runMartlet, testContext } from '../test-context.ts';
import { type Decision, editText, type Prompter, terminalPrompter, walkAnswers } from './review-walk.ts';

const now = new Date('2026-01-03T00:00:00Z');

let scratch: string;
let chain: ChainFixture;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'martlet-trust-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));
let count = 0;
beforeEach(async () => {
  chain = await writeChain(join(scratch, `chain-${count++}`));
});

async function martlet(...argv: string[]): Promise<{ exit: number; out: string; err: string }> {
  return martletAs({ USER: 'ada' }, ...argv);
}

async function martletAs(
  env: CliContext['env'],
  ...argv: string[]
): Promise<{ exit: number; out: string; err: string }> {
  return runMartlet(argv, { cwd: scratch, env: { MARTLET_STORE: chain.store.root, ...env }, now: () => now });
}

describe('review', () => {
  test('lists, shows and judges without a terminal, and makes feedback at the end', async () => {
    await chain.capture({ answer: 'AAA closed at 13, down from 10. \x1b[2J' });
    const listed = await martlet('review', '--list');
    expect(listed.out).toMatch(/answer-1 .*\n.*answer-2/);
    const shown = await martlet('review', '--answer', 'answer-2');
    expect(shown.out).toContain('✗ contradicted');
    expect(shown.out).not.toContain('\x1b');

    const edit = join(scratch, 'edit.txt');
    await writeFile(edit, 'AAA closed at 12, up from 10.\n');
    const edited = await martlet('review', '--answer', 'answer-2', '--edit', edit, '--made-by', 'machine', '--json');
    expect(JSON.parse(edited.out)).toMatchObject({
      judgement: { verdict: 'edit', text: 'AAA closed at 12, up from 10.', by: 'ada', madeBy: 'machine' },
      feedback: null,
    });
    const approved = await martlet('review', '--answer', 'answer-1', '--approve', '--by', 'Bo', '--feedback', 'desk');
    expect(approved).toMatchObject({ exit: 0, out: 'approve answer-1 by Bo\nfeedback/desk@1\n' });
    expect((await martlet('review', '--list')).err).toContain('no captured answer waits for review');
    const all = await martlet('review', '--list', '--all', '--json');
    expect(JSON.parse(all.out).map((each: { judgement: { verdict: string } }) => each.judgement.verdict)).toEqual([
      'approve',
      'edit',
    ]);
    expect((await martlet('trace', 'answer-1')).out).toMatch(
      /judgement .* approve by Bo \(person\)\n.*feedback desk@1/,
    );
  });

  test('an edit is not lost to a later verdict: it is named, and replaced only when that is asked for', async () => {
    const edit = join(scratch, 'edit.txt');
    await writeFile(edit, 'AAA rose to 12 from 10.\n');
    expect(await martlet('review', '--answer', 'answer-1', '--edit', edit, '--reason', 'house style')).toMatchObject({
      exit: 0,
      out: 'edit answer-1 by ada\n',
    });
    for (const verdict of [['--approve'], ['--reject', 'stale']])
      expect(await martlet('review', '--answer', 'answer-1', ...verdict, '--by', 'Bo', '--feedback', 'desk')).toEqual({
        exit: 1,
        out: '',
        err:
          'error answer answer-1 is judged already: edit by ada, 2026-01-03 00:00 UTC, "AAA rose to 12 from 10." [already-judged]\n' +
          'fix   Add --replace to judge it anew; the audit log keeps both.\n',
      });
    const shown = await martlet('review', '--answer', 'answer-1');
    expect(shown.out).toContain(
      'judged    edit by ada, 2026-01-03 00:00 UTC\nreason    house style\nedited    AAA rose to 12 from 10.\n',
    );
    const replaced = await martlet('review', '--answer', 'answer-1', '--approve', '--by', 'Bo', '--replace');
    expect(replaced.out).toBe('approve answer-1 by Bo, in place of: edit by ada, 2026-01-03 00:00 UTC\n');
    const traced = await martlet('trace', 'answer-1');
    expect(traced.out).toMatch(/edit by ada(.|\n)*approve by Bo/);
  });

  test('answers to a file of rows wait behind those given to people, and can be walked alone', async () => {
    const file = join(scratch, 'questions.csv');
    await chain.capture({ row: { file, line: 3 } });
    await chain.capture();
    const from = async (...words: string[]): Promise<(string | undefined)[]> =>
      (await martlet('review', '--list', ...words)).out
        .split('\n')
        .slice(1, -1)
        .map((line) => /answer-\d|infer \S+|serve/g[Symbol.match](line)?.join(' '));
    const [first, batch, last] = ['answer-1 serve', 'answer-2 infer questions.csv:3', 'answer-3 serve'];
    expect(await from()).toEqual([first, last, batch]);
    expect(await from('--from', 'serve')).toEqual([first, last]);
    expect(await from('--from', 'infer')).toEqual([batch]);
    expect(await from('--from', 'questions.csv')).toEqual([batch]);
    expect((await martlet('review', '--list', '--from', 'other.csv')).err).toContain(
      'no captured answer from other.csv waits for review',
    );
    const json = JSON.parse((await martlet('review', '--list', '--from', 'infer', '--json')).out);
    expect(json).toMatchObject([{ id: 'answer-2', row: { file, line: 3 } }]);
  });

  test('says what is wrong with the flags, all at once', async () => {
    const { exit, err } = await martlet('review', '--approve', '--reject', 'no', '--reason', 'x');
    expect(exit).toBe(2);
    expect(err).toMatch(/3 problems(.|\n)*exclude each other(.|\n)*no answer is named(.|\n)*belongs to --edit/);
    expect(await martlet('review')).toMatchObject({ exit: 1, err: expect.stringContaining('--answer <id>') });
    expect(await martlet('review', '--answer', 'answer-2')).toMatchObject({
      exit: 1,
      err: expect.stringContaining('Did you mean answer-1?'),
    });
  });

  test('a file that cannot be read is told with its path and the flag', async () => {
    expect(await martlet('review', '--answer', 'answer-1', '--edit', 'nope.txt')).toMatchObject({
      exit: 1,
      err: `error cannot read ${join(scratch, 'nope.txt')}: there is no such file [file-unreadable]\nfix   Name a file that is there with --edit.\n`,
    });
  });

  test('who decides is the account of the process where the environment names nobody', async () => {
    const decided = await martletAs({}, 'review', '--answer', 'answer-1', '--approve', '--json');
    expect(decided.exit, decided.err).toBe(0);
    expect(JSON.parse(decided.out).judgement.by).toBe(userInfo().username);
    const nameless = await martlet('review', '--answer', 'answer-1', '--approve', '--by', ' ');
    expect(nameless).toMatchObject({ exit: 2, err: expect.stringContaining('--by <name>') });
  });

  test('the walk records each decision at once, and stops when the reviewer does', async () => {
    for (let i = 0; i < 5; i++) await chain.capture();
    const verdicts = ['approve', 'skip', 'reject', 'edit', 'edit', 'quit'] as const;
    const texts = ['wrong', 'AAA closed at 12.', 'AAA closed at 12, up from 10.'];
    let asked = 0;
    const prompter: Prompter = {
      choose: async () => verdicts[asked++] ?? 'quit',
      ask: async () => texts.shift(),
      confirm: async () => false,
    };
    const decisions: Decision[] = [];
    let out = '';
    const walked = await walkAnswers({
      answers: listAnswers(chain.store.root, { unreviewed: true }),
      prompter,
      record: async (decision) => {
        decisions.push(decision);
        await judge({ store: chain.store, by: 'Ada', madeBy: 'person', at: now, ...decision });
      },
      context: testContext({
        colour: true,
        out: (text) => {
          out += text;
        },
      }).context,
    });
    expect(walked).toEqual({ counts: { approve: 2, edit: 1, reject: 1, skip: 1 }, isStopped: false });
    // Text that was saved as it was counts as approved.
    expect(decisions.map(({ answer, verdict }) => [answer, verdict])).toEqual([
      ['answer-1', 'approve'],
      ['answer-3', 'reject'],
      ['answer-4', 'edit'],
      ['answer-5', 'approve'],
    ]);
    expect(stripVTControlCharacters(out)).toContain('AAA closed at 12, up from 10.');
    const left = [];
    for await (const { capture } of listAnswers(chain.store.root, { unreviewed: true })) left.push(capture.id);
    expect(left).toEqual(['answer-2', 'answer-6']);
  });

  test('who was judged by another meanwhile is asked about, with what was typed kept; Ctrl-C ends the walk', async () => {
    await chain.capture();
    await chain.capture();
    const verdicts = ['edit', 'approve', 'edit'] as const;
    let asked = 0;
    const answers = ['yes', 'no'];
    const confirmed: string[] = [];
    const record = async (decision: Decision): Promise<void> => {
      const by = { store: chain.store, madeBy: 'person', at: now } as const;
      if (!decision.replace) await judge({ ...by, answer: decision.answer, verdict: 'reject', reason: 'no', by: 'Bo' });
      await judge({ ...by, by: 'Ada', ...decision });
    };
    const walked = await walkAnswers({
      answers: listAnswers(chain.store.root, { unreviewed: true }),
      prompter: {
        choose: async () => verdicts[asked++] ?? 'quit',
        ask: async () => {
          if (asked > 2) throw new MartletError('stopped', 'Ctrl-C');
          return 'AAA rose to 12.';
        },
        confirm: async (message) => {
          confirmed.push(message);
          return answers.shift() === 'yes';
        },
      },
      record,
      context: testContext().context,
    });
    expect(walked).toEqual({ counts: { approve: 0, edit: 1, reject: 0, skip: 1 }, isStopped: true });
    expect(confirmed[0]).toContain('answer-1 is judged already: reject by Bo');
    const judged = [];
    for await (const answer of listAnswers(chain.store.root)) judged.push(answer.judged?.judgement);
    expect(judged.map((judgement) => judgement && [judgement.verdict, judgement.by, judgement.text])).toEqual([
      ['edit', 'Ada', 'AAA rose to 12.'],
      ['reject', 'Bo', null],
      undefined,
    ]);
  });

  test('in a prompt Ctrl-C stops the review, and Esc goes back', async () => {
    vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    onTestFinished(() => void vi.restoreAllMocks());
    const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => {} });
    const { context } = testContext({ stdin: stdin as unknown as NodeJS.ReadStream });
    const prompter = await terminalPrompter(context);
    const back = prompter.ask('why', '');
    stdin.write('\x1b');
    expect(await back).toBeUndefined();
    const chosen = prompter.choose('answer-1');
    stdin.write('\x03');
    await expect(chosen).rejects.toMatchObject({ code: 'stopped' });
  });

  test.skipIf(process.platform === 'win32')('an editor gets the text and may change it', async () => {
    const { signal } = new AbortController();
    expect(await editText({ editor: 'printf more >>', text: 'text ', signal })).toBe('text more');
    await expect(editText({ editor: 'exit 3;', text: '', signal })).rejects.toMatchObject({ code: 'editor-failed' });
  });
});

describe('trace', () => {
  test('prints the tree, the rows and the verdict', async () => {
    const { exit, out } = await martlet('trace', 'answer-1', '--rows', '1');
    expect(exit).toBe(0);
    expect(
      out
        .replace(/ [0-9a-f]{12}\b/g, ' #')
        .replaceAll(chain.source, 'SOURCE')
        .split('\n')
        .map((line) => line.trimEnd()),
    ).toEqual([
      '✓ answer answer-1 #  2026-01-02T03:04:05.000Z by brief: "AAA closed at 12, up from 10."',
      '└ ✓ deployment brief@1 #  test 1',
      '  └ ✓ model brief@1 #  from checkpoints/step-3',
      '    └ ✓ run brief@1 #  plan #',
      '      ├ ✓ plan brief@1 #  plan #',
      '      ├ ✓ shards brief@1 #  3 rows',
      '      │ ├ ✓ dataset brief@1 #  3 of 3 rows kept',
      '      │ │ └ ✓ file SOURCE #',
      '      │ └ ✓ base pypi:tiny #',
      '      └ ✓ report brief@1 #',
      '✓ audit audit/log.jsonl #  8 records',
      '',
      'It learned from 3 rows; the first 1:',
      '✓ SOURCE:1 #  step 3',
      '    AAA closed at 12, up from 10.',
      '',
      'complete: every hash on the way is what it was',
      '',
    ]);
  });

  test('fails when a byte was changed, and names it', async () => {
    const text = await readFile(chain.source, 'utf8');
    await writeFile(chain.source, text.replace('BBB closed at 12', 'BBB closed at 13'));
    const { exit, out } = await martlet('trace', 'answer-1');
    expect(exit).toBe(1);
    expect(out).toContain(`rows.jsonl came from ${chain.source}:2, where that row no longer stands`);
    expect(out).toContain('not complete: 2 of 11 links do not hold');
    const json = JSON.parse((await martlet('trace', 'answer-1', '--json')).out);
    expect(json).toMatchObject({ traceComplete: false, rows: [{ ok: true }, { ok: false }, { ok: true }] });
  });
});

describe('audit verify', () => {
  test('prints what to note, and takes it back', async () => {
    const { exit, out } = await martlet('audit', 'verify');
    expect(exit).toBe(0);
    const [, witness = ''] = /head +(\S+)/.exec(out) ?? [];
    const [, key = ''] = /public key (\S+)/.exec(out) ?? [];
    expect(out).toContain('8 records, 0 problems');
    await chain.capture();
    const again = await martlet('audit', 'verify', '--witness', witness, '--public-key', key, '--json');
    expect(again.exit).toBe(0);
    expect(JSON.parse(again.out)).toMatchObject({ ok: true, records: 9, problems: [], captures: [] });
    expect((await martlet('audit', 'verify', '--public-key', 'x')).exit).toBe(1);
    expect((await martlet('audit', 'verify', '--witness', '3')).exit).toBe(2);
  });

  test('names record and line, and answers that were changed', async () => {
    const captures = join(chain.store.root, 'captures', 'brief@1.jsonl');
    await writeFile(captures, (await readFile(captures, 'utf8')).replace('up from', 'ap from'));
    expect((await martlet('audit', 'verify')).out).toContain(`${captures}:1 (answer-1) was altered`);
    const log = join(chain.store.root, 'audit', 'log.jsonl');
    await writeFile(log, (await readFile(log, 'utf8')).replace('datasets/brief@1', 'datasets/brief@2'));
    const { exit, out } = await martlet('audit', 'verify');
    expect(exit).toBe(1);
    expect(out).toContain('audit/log.jsonl:2: the record was altered');
    expect(out).toContain('Answers were not looked at');
    expect((await martlet('audit', 'verify', '--artefacts')).out).toContain('Answers and artefacts were not looked at');
  });

  test('with --artefacts, names each byte that was changed and each folder that is gone or new', async () => {
    const { root } = chain.store;
    const whole = await martlet('audit', 'verify', '--artefacts');
    expect(whole).toMatchObject({ exit: 0, out: expect.stringMatching(/8 records, \d+ artefacts, 0 problems/) });
    const plan = join(root, 'plans', 'brief@1', 'plan.json');
    await writeFile(plan, `${await readFile(plan, 'utf8')} `);
    await cp(join(root, 'datasets', 'brief@1'), join(root, 'datasets', 'brief@7'), { recursive: true });
    await rm(join(root, 'models', 'brief@1'), { recursive: true });
    const { exit, out } = await martlet('audit', 'verify', '--artefacts');
    expect(exit).toBe(1);
    expect(out).toContain('plans/brief@1: plan.json was altered');
    expect(out).toContain('datasets/brief@7: is not in the audit log');
    expect(out).toContain('models/brief@1: is not there');
  });
});
