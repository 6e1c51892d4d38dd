import { hash } from 'node:crypto';
import { afterAll, describe, expect, test } from 'vitest';
import { fingerprint } from '../core/fingerprint.ts';
import { compileTemplate, encodeSample, prepareTools } from '../render/index.ts';
import { testTokenizer } from '../render/test-tokenizer.ts';
import { sample } from '../schema/sample.ts';
import type { DataValues } from './opened-source.ts';
import { chat, dataValues, outcomes, source, testFolder } from './test-rows.ts';

const files = testFolder();
afterAll(() => files.remove());
for (const name of ['a.png', 'b.png']) files.write(name, 'an image');
let count = 0;

async function readOne(row: unknown, format: 'auto' | 'messages' | 'sharegpt' | 'alpaca' = 'auto') {
  const file = files.write(`one-${count++}.jsonl`, [row]);
  const [outcome] = await outcomes(dataValues([source(file, { format })]));
  if (!outcome) throw new Error('no outcome');
  return outcome;
}

const user = (content: string) => ({ role: 'user', content });
const assistant = (content: string | null, more: object = {}) => ({ role: 'assistant', content, ...more });
const call = (name: string, given: unknown, id?: string) => ({
  ...(id && { id }),
  type: 'function',
  function: { name, arguments: given },
});

describe('formats become the same messages', () => {
  test.each<[string, object, unknown[]]>([
    ['messages', { messages: [user('q'), assistant('a')] }, [user('q'), assistant('a')]],
    [
      'system column',
      { system: 's', messages: [user('q'), assistant('a')] },
      [{ role: 'system', content: 's' }, user('q'), assistant('a')],
    ],
    [
      'typed parts',
      {
        messages: [
          {
            role: 'user',
            content: [
              { type: 'text', text: 'what is this?' },
              { type: 'image_url', image_url: { url: 'a.png' } },
              { type: 'image', image: 'b.png' },
              'plain',
            ],
          },
          assistant('a'),
        ],
      },
      [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'what is this?' },
            { type: 'image', image: 'a.png' },
            { type: 'image', image: 'b.png' },
            { type: 'text', text: 'plain' },
          ],
        },
        assistant('a'),
      ],
    ],
    [
      'OpenAI tool calls and results',
      {
        messages: [
          user('q'),
          { role: 'assistant', content: null, tool_calls: [{ id: 'c1', ...call('f', '{"x":1}') }], refusal: null },
          { role: 'tool', tool_call_id: 'c1', content: '3' },
          assistant('a', { reasoning_content: 'hm', weight: 0.5 }),
          { ...user('q2'), name: 'Ann' },
          assistant('b', { learn: false }),
        ],
      },
      [
        user('q'),
        assistant(null, { tool_calls: [call('f', '{"x":1}', 'c1')] }),
        { role: 'tool', content: '3', tool_call_id: 'c1' },
        assistant('a', { reasoning_content: 'hm', weight: 0.5 }),
        { ...user('q2'), name: 'Ann' },
        assistant('b', { learn: false }),
      ],
    ],
    [
      'a call without arguments, and one without the wrapper',
      {
        messages: [
          user('q'),
          assistant(null, { tool_calls: [{ function: { name: 'f' } }, { name: 'g', arguments: '{}' }] }),
        ],
      },
      [user('q'), assistant(null, { tool_calls: [call('f', {}), call('g', '{}')] })],
    ],
    [
      'the older function_call',
      {
        messages: [
          user('q'),
          { role: 'assistant', content: null, function_call: { name: 'f', arguments: '{}' } },
          { role: 'function', name: 'f', content: '3' },
          assistant('a'),
        ],
      },
      [
        user('q'),
        assistant(null, { tool_calls: [call('f', '{}')] }),
        { role: 'tool', content: '3', name: 'f' },
        assistant('a'),
      ],
    ],
    [
      'ms-swift roles and loss',
      {
        messages: [
          user('q'),
          { role: 'tool_call', content: '{"name":"f","arguments":{"x":1}}' },
          { role: 'tool_call', content: '{"name":"g","arguments":{}}' },
          { role: 'tool_response', content: '3' },
          { role: 'tool_response', content: '4' },
          assistant('a', { loss: true, loss_scale: 2 }),
        ],
      },
      [
        user('q'),
        assistant(null, { tool_calls: [call('f', { x: 1 }), call('g', {})] }),
        { role: 'tool', content: '3' },
        { role: 'tool', content: '4' },
        assistant('a', { learn: true, weight: 2 }),
      ],
    ],
    [
      'ms-swift calls in a row, of which the first that says is heard',
      {
        messages: [
          user('q'),
          { role: 'tool_call', content: '{"name":"f","arguments":{}}', loss: true },
          { role: 'tool_call', content: '{"name":"g","arguments":{}}', loss: false, loss_scale: 3 },
          { role: 'tool_response', content: '3' },
          { role: 'tool_response', content: '4' },
          assistant('a', { thinking: 'hm' }),
        ],
      },
      [
        user('q'),
        assistant(null, { tool_calls: [call('f', {}), call('g', {})], learn: true, weight: 3 }),
        { role: 'tool', content: '3' },
        { role: 'tool', content: '4' },
        assistant('a', { reasoning_content: 'hm' }),
      ],
    ],
    [
      'sharegpt',
      {
        system: 's',
        conversations: [
          { from: 'human', value: 'q' },
          { from: 'function_call', value: '[{"name":"f","arguments":{}},{"name":"g","arguments":{}}]' },
          { from: 'observation', value: '1' },
          { from: 'observation', value: '2' },
          { from: 'gpt', value: 'a' },
        ],
      },
      [
        { role: 'system', content: 's' },
        user('q'),
        assistant(null, { tool_calls: [call('f', {}), call('g', {})] }),
        { role: 'tool', content: '1' },
        { role: 'tool', content: '2' },
        assistant('a'),
      ],
    ],
    ['sharegpt with roles', { conversations: [user('q'), assistant('a')] }, [user('q'), assistant('a')]],
    [
      'alpaca',
      { instruction: 'add', input: '1 2', output: '3', system: 's', history: [['hi', 'ho']] },
      [{ role: 'system', content: 's' }, user('hi'), assistant('ho'), user('add\n1 2'), assistant('3')],
    ],
    ['alpaca without input', { instruction: 'add', input: '', output: '3' }, [user('add'), assistant('3')]],
    [
      'a chosen answer of its own',
      { messages: [user('q')], chosen: [assistant('a')], rejected: 'b' },
      [user('q'), assistant('a')],
    ],
  ])('%s', async (_, row, messages) => {
    const outcome = await readOne(row);
    expect(outcome.reason).toBeNull();
    expect(outcome.sample?.messages).toEqual(messages);
    expect(sample.safeParse(outcome.sample).error).toBeUndefined();
  });
});

test('numbers reach the template as they were written: floats, large integers, the order of keys', async () => {
  const row =
    '{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":null,"tool_calls":[{"function":' +
    '{"name":"f","arguments":{"x":1.0,"2":12345678901234567890,"1":1}}}]}],"tools":[{"name":"f","default":2.0}]}';
  const { sample: kept } = await readOne(row);
  const tokenizer = testTokenizer({ special: ['</s>'] });
  const encoded = encodeSample({
    template: compileTemplate(
      '{{ tools | tojson }}{% for m in messages %}{{ m.content or (m.tool_calls | tojson) }}</s>{% endfor %}',
    ),
    tokenizer,
    messages: kept?.messages ?? [],
    tools: prepareTools(kept?.tools),
    learn: 'assistant',
    stopTokens: [tokenizer.idOf('</s>') ?? -1],
  });
  expect(encoded.ok ? encoded.value.text : encoded.issues).toBe(
    '[{"type": "function", "function": {"name": "f", "default": 2.0}}]q</s>' +
      '[{"type": "function", "function": {"name": "f", "arguments": {"x": 1.0, "2": 12345678901234567890, "1": 1}}}]</s>',
  );
});

test('other columns go where they belong, and the rest is kept', async () => {
  const { sample: read } = await readOne({
    ...chat('q', 'a'),
    facts: { close: 1.5 },
    solution: ['a'],
    label: true,
    margin: 0.5,
    tools: '[{"type":"function","function":{"name":"f"}}]',
    rejected: [assistant('b')],
    martlet: { by: 'quickstart', answer: 'r1', consent: 'given', licence: 'CC0-1.0', embargo: null },
    symbol: 'AAPL',
    nothing: null,
    images: [],
  });
  expect(read).toMatchObject({
    facts: { close: 1.5 },
    solution: ['a'],
    label: true,
    margin: 0.5,
    tools: [{ type: 'function', function: { name: 'f' } }],
    rejected: [assistant('b')],
    extra: { symbol: 'AAPL', nothing: null, images: [] },
    provenance: { line: 1, by: 'quickstart', answer: 'r1', consent: 'given', licence: 'CC0-1.0' },
  });
  expect(read?.provenance).not.toHaveProperty('embargo');
  expect(sample.safeParse(read).error).toBeUndefined();
});

test('the id is the fingerprint of the content, the hash that of the bytes', async () => {
  const line = '{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}], "label":1, "x":2}';
  const file = files.write('hash.jsonl', `${line}\r\n`);
  const [outcome] = await outcomes(dataValues([source(file)]));
  expect(outcome?.sha256).toBe(hash('sha256', line));
  expect(outcome?.sample?.provenance.sha256).toBe(hash('sha256', line));
  expect(outcome?.id).toBe(fingerprint({ messages: [user('q'), assistant('a')], label: 1 }));
});

describe('rows that cannot be used say where, what and how to mend it', () => {
  test.each<[string, object, string, string, RegExp]>([
    [
      'an unknown role',
      { messages: [user('q'), { role: 'asistant', content: 'a' }] },
      'role-unknown',
      'messages[1].role',
      /assistant/,
    ],
    ['no role', { messages: [{ content: 'a' }] }, 'role-missing', 'messages[0]', /role/],
    [
      'two speakers',
      { messages: [{ role: 'user', from: 'gpt', content: 'a' }] },
      'role-ambiguous',
      'messages[0]',
      /Keep one/,
    ],
    ['an empty answer', { messages: [user('q'), assistant(' ')] }, 'empty-answer', 'messages[1]', /Write its answer/],
    ['an answer of null', { messages: [user('q'), assistant(null)] }, 'content-missing', 'messages[1]', /content/],
    [
      'an answer of empty parts',
      { messages: [user('q'), { role: 'assistant', content: [] }] },
      'empty-answer',
      'messages[1]',
      /answer/,
    ],
    [
      'a result without a call',
      { messages: [user('q'), { role: 'tool', content: '3' }, assistant('a')] },
      'tool-result-without-call',
      'messages[1]',
      /call/,
    ],
    [
      'a result for another call',
      {
        messages: [
          user('q'),
          assistant(null, { tool_calls: [call('f', {}, 'c1')] }),
          { role: 'tool', tool_call_id: 'c2', content: '3' },
        ],
      },
      'tool-result-without-call',
      'messages[2]',
      /"c2"/,
    ],
    [
      'a late system message',
      { messages: [user('q'), { role: 'system', content: 's' }, assistant('a')] },
      'role-out-of-order',
      'messages[1]',
      /Put it first/,
    ],
    [
      'two system messages',
      { system: 's', messages: [{ role: 'system', content: 't' }, user('q')] },
      'two-systems',
      'system',
      /Keep one/,
    ],
    ['messages as text', { messages: 'hello' }, 'wrong-type', 'messages', /list itself/],
    ['messages as text that is no JSON', { messages: "[{'role': 'user'}]" }, 'not-json', 'messages', /double quotes/],
    ['no turns', { messages: [] }, 'empty-conversation', 'messages', /no turns/],
    ['a turn that is none', { messages: ['hello'] }, 'wrong-type', 'messages[0]', /turn/],
    [
      'content of another type',
      { messages: [{ role: 'user', content: 3 }] },
      'wrong-type',
      'messages[0].content',
      /text/,
    ],
    [
      'a part that is not known',
      { messages: [{ role: 'user', content: [{ type: 'smell' }] }] },
      'part-unknown',
      'messages[0].content[0]',
      /part such as/,
    ],
    [
      'a slip in a key',
      { messages: [user('q'), assistant('a', { wieght: 0 })] },
      'unknown-key',
      'messages[1].wieght',
      /weight/,
    ],
    [
      'a negative weight',
      { messages: [user('q'), assistant('a', { weight: -1 })] },
      'wrong-type',
      'messages[1].weight',
      /0 or more/,
    ],
    [
      'learn as text',
      { messages: [user('q'), assistant('a', { learn: 'no' })] },
      'wrong-type',
      'messages[1].learn',
      /true or false/,
    ],
    [
      'a call without a name',
      { messages: [user('q'), assistant(null, { tool_calls: [{ function: {} }] })] },
      'tool-call-unreadable',
      'messages[1].tool_calls[0]',
      /name/,
    ],
    [
      'calls that are no list',
      { messages: [user('q'), assistant('a', { tool_calls: 3 })] },
      'wrong-type',
      'messages[1].tool_calls',
      /list/,
    ],
    [
      'a call turn that is no JSON',
      { messages: [user('q'), { role: 'tool_call', content: 'f(x)' }] },
      'not-json',
      'messages[1].content',
      /f is not JSON, at "f\(x\)"/,
    ],
    [
      'a call turn with half a character in it',
      { messages: [user('q'), { role: 'tool_call', content: '{"name":"f","arguments":{"x":"\\ud83d"}}' }] },
      'lone-surrogate',
      'messages[1].content.arguments.x',
      /encoding/,
    ],
    [
      'a call turn with a key twice',
      { messages: [user('q'), { role: 'tool_call', content: '{"name":"f","name":"g"}' }] },
      'duplicate-key',
      'messages[1].content',
      /Keep one/,
    ],
    [
      'tools with a number out of range',
      { ...chat('q'), tools: '[{"a":1e999}]' },
      'number-out-of-range',
      'tools[0].a',
      /double/,
    ],
    ['an image that is not there', { ...chat('q'), images: ['gone.png'] }, 'media-missing', 'messages[0]', /media/],
    [
      'fewer tags than images',
      { ...chat('<image>q', 'a'), images: ['a.png', 'b.png'] },
      'media-count',
      'images',
      /one for each <image>/,
    ],
    [
      'fewer images than tags',
      { ...chat('<image><image>q', 'a'), images: ['a.png'] },
      'media-count',
      'images',
      /one for each <image>/,
    ],
    [
      'a part whose image is nowhere',
      { messages: [{ role: 'user', content: [{ type: 'image' }] }, assistant('a')] },
      'media-count',
      'messages[0]',
      /images/,
    ],
    ['an image of no kind', { ...chat('q'), images: [3] }, 'media-unreadable', 'images[0]', /path/],
    [
      'more boxes than tags',
      {
        ...chat('q', '<bbox>'),
        objects: {
          bbox: [
            [1, 2],
            [3, 4],
          ],
        },
      },
      'objects-count',
      'objects.bbox',
      /each <bbox>/,
    ],
    [
      'a box outside of its kind',
      { ...chat('q', '<bbox>'), objects: { bbox: [[1, 2]], bbox_type: 'norm1' } },
      'box-outside',
      'objects.bbox[0]',
      /bbox_type/,
    ],
    [
      'a box in an image that is not there',
      { ...chat('q', '<bbox>'), objects: { bbox: [[1, 2]], image_id: [1] } },
      'image-unknown',
      'objects.image_id[0]',
      /counted from 0/,
    ],
    [
      'a box of three',
      { ...chat('q', '<bbox>'), objects: { bbox: [[1, 2, 3]] } },
      'wrong-type',
      'objects.bbox[0]',
      /x1/,
    ],
    ['the same answer twice', { ...chat('q', 'a'), rejected: 'a' }, 'same-answers', 'rejected', /nothing to tell/],
    [
      'two rejected answers',
      { ...chat('q'), rejected: 'b', rejected_response: 'c' },
      'two-answers',
      'rejected_response',
      /Keep one/,
    ],
    ['nothing to reject for', { messages: [user('q')], rejected: 'b' }, 'chosen-missing', 'rejected', /as chosen/],
    [
      'another question in chosen',
      { messages: [user('q')], chosen: [user('other'), assistant('a')] },
      'prompts-differ',
      'chosen',
      /out of chosen/,
    ],
    [
      'an answer that nobody judged',
      { messages: [user('q')], responses: ['a', 'b'], scores: [1, null] },
      'judgement-missing',
      'responses[1]',
      /score/,
    ],
    [
      'fewer scores than answers',
      { messages: [user('q')], responses: ['a', 'b'], scores: [1] },
      'counts-differ',
      'scores',
      /each/,
    ],
    [
      'documents that are none',
      { ...chat('q'), positive_messages: { a: 1 } },
      'wrong-type',
      'positive_messages',
      /list of/,
    ],
    ['facts as text', { ...chat('q'), facts: 'none' }, 'wrong-type', 'facts', /Rename/],
    ['tools that cannot be read', { ...chat('q'), tools: '{' }, 'not-json', 'tools', /key in double quotes/],
    ['tools that are no list', { ...chat('q'), tools: '{}' }, 'wrong-type', 'tools', /list of tool/],
    ['a rejected question', { ...chat('q'), rejected: [user('q')] }, 'role-out-of-order', 'rejected', /question/],
    ['two answers', { ...chat('q'), chosen: 'b' }, 'two-answers', 'chosen', /leave out/],
    ['terms with a slip', { ...chat('q'), martlet: { embrago: '2027-01-01' } }, 'unknown-key', 'martlet', /embargo/],
    [
      'an embargo that is no day',
      { ...chat('q'), martlet: { embargo: 'soon' } },
      'wrong-type',
      'martlet.embargo',
      /date/,
    ],
    ['alpaca without output', { instruction: 'add', input: '3' }, 'wrong-type', 'output', /text/],
    ['a history of no pairs', { instruction: 'i', output: 'o', history: [['q']] }, 'wrong-type', 'history[0]', /pair/],
  ])('%s', async (_, row, code, path, fix) => {
    const format = 'messages' in row ? 'messages' : 'alpaca';
    const { fate, sample: none, reason, issues } = await readOne(row, format);
    expect({ fate, none }).toEqual({ fate: 'invalid', none: null });
    expect(issues[0]?.code).toBe(code);
    expect(reason).toContain(`.jsonl:1:1 ${path}: `);
    expect(reason).toMatch(fix);
  });

  test('all problems of a row at once', async () => {
    const { issues } = await readOne(
      { messages: [{ role: 'usr', content: 'q' }, assistant('a', { learn: 3 })] },
      'messages',
    );
    expect(issues.map(({ code }) => code)).toEqual(['role-unknown', 'wrong-type']);
  });
});

test('a place inside a row of many lines is its own line', async () => {
  const file = files.write('pretty.json', '[\n  {"messages": []},\n  {\n    "messages": [],\n    "a": NaN\n  }\n]');
  const read = await outcomes(dataValues([source(file)]));
  expect(read.map(({ line }) => line)).toEqual([2, 3]);
  expect(read[1]?.issues[0]?.place).toEqual({ file, line: 5, column: 10 });
});

test('turns that do not take turns are kept as they stand, and noted', async () => {
  const noted = async (...messages: readonly object[]) => {
    const { fate, changes } = await readOne({ messages });
    return [fate, ...changes];
  };
  expect(await noted(user('a'), user('b'), assistant('c'))).toEqual(['train', 'messages[1]: two user turns in a row']);
  expect(await noted(assistant('a'), user('b'), assistant('c'))).toEqual([
    'train',
    'messages[0]: the assistant speaks first',
  ]);
  expect(await noted(user('a'), assistant('b'), assistant('c'))).toEqual([
    'train',
    'messages[2]: two assistant turns in a row',
  ]);
  expect(await noted(user('a'), assistant('b'), user('c'), assistant('d'))).toEqual(['train']);
  // A text to go on from, as ms-swift writes it.
  expect(await noted(assistant('a'))).toEqual(['train']);
});

describe('a row whose turns do not take turns', () => {
  const rows = [
    { messages: [user('a'), user('b'), assistant('c')] },
    { messages: [user('a'), assistant('b')] },
    { messages: [assistant('a'), user('b'), assistant('c'), assistant('d')] },
  ];
  const fatesWith = async (turns: DataValues['turns']) =>
    (await outcomes(dataValues([source(files.write('disorder.jsonl', rows))], { turns }))).map(
      ({ fate, issues, reason }) => [fate, issues.map(({ code, path }) => [code, ...path].join(' ')), reason],
    );

  test.each([
    ['drop', 'filtered'],
    ['refuse', 'invalid'],
  ] as const)('is told of at each turn where data.turns says %s', async (turns, fate) => {
    expect(await fatesWith(turns)).toEqual([
      [fate, ['turns-out-of-order messages 1'], expect.stringMatching(/disorder\.jsonl:1:1 .*two user turns in a row/)],
      ['train', [], null],
      [
        fate,
        ['turns-out-of-order messages 0', 'turns-out-of-order messages 3'],
        expect.stringMatching(/the assistant speaks first.*two assistant turns in a row/),
      ],
    ]);
  });

  test('is kept otherwise', async () => {
    expect((await fatesWith('keep')).map(([fate]) => fate)).toEqual(['train', 'train', 'train']);
  });
});

test('keys of a turn that mean nothing here are left out, and that is said', async () => {
  const { fate, changes } = await readOne({ messages: [user('q'), assistant('a', { timestamp: 3, audio: null })] });
  expect({ fate, changes }).toEqual({ fate: 'train', changes: ['messages[1].timestamp left out'] });
});

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
    expect(await fail([{ chosen: 'a', rejected: 'b', id: 'x' }])).toMatchObject([{ sample: { plain: true } }]);
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

describe('fates', () => {
  test('a limit counts rows from the start, after those of other makers', async () => {
    const by = (maker: string) => ({ martlet: { by: maker } });
    const file = files.write('limit.jsonl', [
      chat('1', 'a', by('machine')),
      chat('2', 'a', by('quickstart')),
      chat('3'),
      chat('4'),
      'not json',
    ]);
    const read = await outcomes(dataValues([source(file, { limit: 2, madeBy: ['person', 'machine'] })]));
    expect(read.map(({ fate }) => fate)).toEqual(['train', 'filtered', 'train', 'limited', 'limited']);
    expect(read[1]?.reason).toMatch(/made by quickstart/);
  });

  test('an embargoed row waits until its day', async () => {
    const file = files.write('embargo.jsonl', [chat('q', 'a', { martlet: { embargo: '2026-11-24' } })]);
    const on = async (today: string) => (await outcomes(dataValues([source(file)]), { today }))[0]?.fate;
    expect(await on('2026-11-23')).toBe('embargoed');
    expect(await on('2026-11-24')).toBe('train');
  });

  test('a duplicate names the first row of its content, across sources and formats', async () => {
    const first = files.write('first.jsonl', [chat('0'), chat('q', 'a', { symbol: 'A' })]);
    const second = files.write('second.json', JSON.stringify([{ instruction: 'q', output: 'a' }]));
    const read = await outcomes(dataValues([source(first), source(second)]));
    expect(read[2]).toMatchObject({ fate: 'duplicate', reason: `the same content as ${first}:2`, id: read[1]?.id });
  });

  test('a licence of the source holds where the row has none', async () => {
    const file = files.write('licence.jsonl', [chat('1'), chat('2', 'a', { martlet: { licence: 'MIT' } })]);
    const read = await outcomes(dataValues([source(file, { licence: 'CC-BY-4.0' })]));
    expect(read.map(({ sample: kept }) => kept?.provenance.licence)).toEqual(['CC-BY-4.0', 'MIT']);
  });

  test('feedback is found through its resolver', async () => {
    const file = files.write('feedback.jsonl', [chat('q')]);
    const values = dataValues([source('feedback/desk@3')]);
    const [outcome] = await outcomes(values, {
      resolveFeedback: (address) => (address === 'feedback/desk@3' ? file : ''),
    });
    expect(outcome?.sample?.provenance).toMatchObject({ source: 'feedback/desk@3', file });
    await expect(outcomes(values)).rejects.toMatchObject({ code: 'feedback-unresolved' });
  });
});
