import { afterAll, describe, expect, test } from 'vitest';
import { assistant, chat, dataValues, outcomes, source, testFolder, user } from './test-rows.ts';

const files = testFolder();
afterAll(() => files.remove());
for (const name of ['a.png', 'b.png']) files.write(name, 'an image');
let count = 0;

describe('the format', () => {
  const fail = (rows: readonly unknown[]) =>
    outcomes(dataValues([source(files.write(`format-${count++}.jsonl`, rows))])).catch((error: unknown) => error);

  test('is not guessed when a row has two readings', async () => {
    expect(await fail([{ ...chat('q', 'a'), conversations: [{ from: 'human', value: 'x' }] }])).toMatchObject({
      code: 'invalid-input',
      issues: [
        {
          code: 'format-ambiguous',
          path: ['data', 'sources', 0, 'format'],
          message: expect.stringMatching(
            /as messages \(line 1\): user "q" → assistant "a"; as sharegpt \(line 1\): user "x"/,
          ),
          fix: 'Set data.sources[0].format: messages or sharegpt.',
        },
      ],
    });
  });

  test('is not guessed when rows differ', async () => {
    expect(await fail([chat('q'), { instruction: 'i', output: 'o' }])).toMatchObject({
      issues: [{ code: 'format-ambiguous', message: expect.stringMatching(/messages \(line 1\).*alpaca \(line 2\)/) }],
    });
  });

  test('of files that differ names them', async () => {
    files.write('several/a.jsonl', [{ question: 'q', answer: 'a' }]);
    files.write('several/b.jsonl', [{ instruction: 'i', output: 'o' }]);
    const found = outcomes(dataValues([source(`${files.folder}/several`)])).catch((error: unknown) => error);
    expect(await found).toMatchObject({
      issues: [{ message: expect.stringMatching(/as query \(a\.jsonl:1\): .*; as alpaca \(b\.jsonl:1\): /) }],
    });
  });

  test('is one where the readings say the same, or one was made from the other', async () => {
    const same: readonly object[] = [
      { ...chat('q', 'a'), prompt: 'q', completion: 'a' },
      { ...chat('Answer this: q', 'long a'), question: 'q', answer: 'a' },
      { ...chat('q', 'a'), rejected_response: 'b' },
      { ...chat('q', 'a'), prompt: 'q', chosen: chat('q', 'a').messages, rejected: 'b' },
      { instruction: 'q', input: '', output: 'a', text: 'Below is an instruction: q a' },
      { prompt: 'q', completion: 'a', text: 'q a' },
      { question: 'q', answer: 'a', target: 'b' },
      { prompt: 'q', query: 'q', response: 'a' },
    ];
    for (const row of same) expect(await fail([row])).toMatchObject([{ fate: expect.stringMatching(/train/) }]);
  });

  test.each([
    // By name, wherever the columns stand.
    [
      { 'Ref No.': '1', 'Redaktion Antwort': 'Ja.', 'Leser-Frage': 'Wie?' },
      '{ Leser-Frage: query, Redaktion Antwort: response }',
    ],
    [{ id: '7', ask: 'Why?', told: 'Because it was late.' }, '{ ask: query, told: response }'],
    // By the longest texts.
    [
      { no: '1', town: 'Ilkley', memo: 'a sentence of words', note: 'and another, longer one' },
      '{ memo: query, note: response }',
    ],
    [{ no: 1, 'on: day': 'a sentence of some words' }, '{ "on: day": text }'],
    [{ a: 'x', b: 2 }, '{ <the column that asks>: query, <the column that answers>: response }'],
  ])('that no columns fit comes with what they may mean: %j', async (row, columns) => {
    expect(await fail([row])).toMatchObject({
      issues: [
        { code: 'format-unknown', fix: `Say what the columns are, such as data.sources[0].columns: ${columns}.` },
      ],
    });
  });

  test('is not guessed for two columns that both ask, or two that both answer', async () => {
    expect(await fail([{ question: 'q', prompt: 'p', answer: 'a' }])).toMatchObject({
      issues: [
        {
          code: 'format-ambiguous',
          message: expect.stringMatching(
            /as query \(prompt: query, answer: response\) \(line 1\): user "p" → assistant "a"; as query \(question/,
          ),
          fix: 'Set data.sources[0].columns: { prompt: query, answer: response } or { question: query, answer: response }.',
        },
      ],
    });
    expect(await fail([{ question: 'q', output: 'o', answer: 'a' }])).toMatchObject({
      issues: [{ fix: expect.stringMatching(/answer: response \} or \{ question: query, output: response/) }],
    });
    expect(await fail([{ instruction: 'i', input: 'x', output: 'o', response: 'r' }])).toMatchObject({
      issues: [
        {
          message: expect.stringMatching(
            /as alpaca .*: user "i\\nx" → assistant "o"; as query .*: user "i" → assistant "r"/,
          ),
          fix: 'Set data.sources[0].format: alpaca or query.',
        },
      ],
    });
    for (const response of ['o', '', null])
      expect(await fail([{ instruction: 'i', input: 'x', output: 'o', response }])).toMatchObject([{ fate: 'train' }]);
  });

  test('a row that is ambiguous where the first rows were not says how to decide', async () => {
    const rows = [
      ...Array.from({ length: 70 }, (_, index) => ({ prompt: `q${index}`, answer: 'a' })),
      { prompt: 'q', answer: 'a', response: 'b' },
    ];
    // `response` is the name to rename to, and needs no rival; of two others a person must say.
    expect(((await fail(rows)) as unknown[]).at(-1)).toMatchObject({ fate: 'train' });
    const late = [...rows.slice(0, 70), { prompt: 'q', answer: 'a', output: 'b' }];
    expect(((await fail(late)) as unknown[]).at(-1)).toMatchObject({
      fate: 'invalid',
      issues: [{ code: 'columns-ambiguous', fix: expect.stringContaining('{ prompt: query, answer: response } or') }],
    });
  });

  test('columns are read under the names the recipe gives them', async () => {
    const row = { data: { frage: 'q' }, Antwort: 'a', query: 'other', prompt: 'p' };
    const file = files.write('columns.jsonl', [row]);
    const columns = { 'data.frage': 'query', Antwort: 'response', query: 'before' };
    const [outcome] = await outcomes(dataValues([source(file, { columns })]));
    expect(outcome?.sample?.messages).toEqual([user('q'), assistant('a')]);
    expect(outcome?.sample?.extra).toEqual({ data: { frage: 'q' }, prompt: 'p', before: 'other' });
    const error = (columns: Record<string, string>) =>
      outcomes(dataValues([source(file, { columns })])).catch((thrown: unknown) => thrown);
    expect(await error({ Antwrt: 'response' })).toMatchObject({
      issues: [
        { code: 'column-missing', path: ['data', 'sources', 0, 'columns', 'Antwrt'], fix: 'Did you mean Antwort?' },
      ],
    });
    const gap = files.write('gap.csv', 'Frage,Antwort\nq,\n');
    const [left] = await outcomes(dataValues([source(gap, { columns: { Frage: 'query', Antwort: 'response' } })]));
    expect(left?.issues).toMatchObject([{ code: 'empty-answer', path: ['Antwort'], message: 'the answer is empty.' }]);
    expect(await error({ Antwort: 'query' })).toMatchObject([
      { fate: 'invalid', issues: [{ code: 'column-taken', path: ['query'] }] },
    ]);
  });

  test('media are looked for in the folder the recipe names', async () => {
    const file = files.write('media.jsonl', [{ ...chat('q', 'a'), images: ['a.png'] }]);
    const fate = async (media: string | null) => (await outcomes(dataValues([source(file, { media })])))[0]?.fate;
    expect(await fate(null)).toBe('train');
    expect(await fate(files.folder)).toBe('train');
    expect(await fate(`${files.folder}/elsewhere`)).toBe('invalid');
  });

  test('names a question that was meant beside two answers', async () => {
    const [outcome] = (await fail([{ prompts: 'q', chosen: 'a', rejected: 'b' }])) as { issues: unknown[] }[];
    expect(outcome?.issues).toMatchObject([
      { code: 'prompt-missing', fix: 'Is it prompts? Then set data.sources[].columns: { prompts: query }.' },
    ]);
    const turns = { chosen: [assistant('a')], rejected: [assistant('b')] };
    expect(await fail([turns])).toMatchObject([{ issues: [{ code: 'prompt-missing' }] }]);
    expect(await fail([{ chosen: 'a', rejected: 'b', id: 'x' }])).toMatchObject([
      { fate: 'invalid', issues: [{ code: 'prompt-missing', fix: expect.stringContaining('Write it as prompt') }] },
    ]);
  });

  test('takes better and worse answers in any case, and asks for one that was misspelt', async () => {
    const rows = (await fail([{ prompt: 'q', Chosen: 'a', Rejected: 'b' }])) as { sample: unknown }[];
    expect(rows).toMatchObject([{ sample: { messages: [user('q'), assistant('a')], rejected: [assistant('b')] } }]);
    expect(await fail([{ prompt: 'q', Chosen: '', Rejected: 'b' }])).toMatchObject([
      { issues: [{ code: 'empty-answer', path: ['Chosen'] }] },
    ]);
    expect(await fail([{ prompt: 'q', chosen: 'a', rejectd: 'b' }])).toMatchObject([
      { issues: [{ code: 'rejected-missing', path: ['rejectd'], fix: expect.stringContaining('mean rejected?') }] },
    ]);
    expect(await fail([{ prompt: 'q', chosen: 'a', selected: 'b' }])).toMatchObject([{ fate: 'train' }]);
  });

  test('names the column that was meant', async () => {
    expect(await fail([{ mesages: [] }])).toMatchObject({
      issues: [{ code: 'format-unknown', message: expect.stringContaining('is mesages meant as messages?') }],
    });
  });

  test('is recognised by its column even when no row keeps to it, so that the rows are told what is wrong', async () => {
    expect(await fail([{ messages: 'none' }])).toMatchObject([{ fate: 'invalid', issues: [{ code: 'wrong-type' }] }]);
  });

  test('decides, when the recipe says it', async () => {
    const both = { ...chat('q', 'a'), conversations: [{ from: 'human', value: 'x' }] };
    const file = files.write('both.jsonl', [both]);
    const [outcome] = await outcomes(dataValues([source(file, { format: 'messages' })]));
    expect(outcome?.sample?.messages).toHaveLength(2);
    expect(outcome?.sample?.extra).toEqual({ conversations: [{ from: 'human', value: 'x' }] });
  });

  test('holds for the whole source: a later row that differs is invalid and shown the way', async () => {
    const rows = [...Array.from({ length: 70 }, (_, index) => chat(`q${index}`)), { instruction: 'i', output: 'o' }];
    const file = files.write('late.jsonl', rows);
    const last = (await outcomes(dataValues([source(file)]))).at(-1);
    expect(last).toMatchObject({
      fate: 'invalid',
      issues: [{ code: 'format-mismatch', fix: expect.stringMatching(/alpaca/) }],
    });
    const empty = (await outcomes(dataValues([source(files.write('empty.jsonl', [chat('q'), {}]))]))).at(-1);
    expect(empty?.issues).toMatchObject([{ message: expect.stringMatching(/^the row has no columns; /) }]);
  });

  test('a table without a known column is asked for the meaning of its two; a broken one is told no word of JSON', async () => {
    const issueOf = async (text: string): Promise<unknown> =>
      outcomes(dataValues([source(files.write('table.csv', text))])).catch((thrown: unknown) => thrown);
    expect(await issueOf('Frage der Kundin,Unsere Antwort\nq,a\n')).toMatchObject({
      issues: [{ fix: expect.stringMatching(/columns: \{ Frage der Kundin: query, Unsere Antwort: response \}\.$/) }],
    });
    const broken = await issueOf('question,answer\nq,a,b\n');
    expect(broken).toMatchObject({
      issues: [{ code: 'format-unknown', message: expect.stringMatching(/\d fields.*\[field-count\]$/) }],
    });
    expect(broken).not.toMatchObject({ message: expect.stringContaining('JSON') });
  });

  test('problems of all sources come at once', async () => {
    const values = dataValues([
      source(files.write('no-rows.jsonl', '')),
      source(`${files.folder}/missing.jsonl`),
      source(files.write('bad.jsonl', ['{', '['])),
      source(files.write('zip.json', 'PK\x03\x04')),
    ]);
    const error = await outcomes(values).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      issues: [
        { code: 'source-empty', path: ['data', 'sources', 0, 'format'] },
        { code: 'file-unreadable', path: ['data', 'sources', 1, 'from'] },
        { code: 'format-unknown', path: ['data', 'sources', 2, 'format'] },
        { code: 'source-unsupported', path: ['data', 'sources', 3, 'from'] },
      ],
    });
  });
});
