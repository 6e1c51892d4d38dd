import { afterAll, describe, expect, test } from 'vitest';
import type { DataValues } from './opened-source.ts';
import { assistant, call, chat, dataValues, oneRowReader, outcomes, source, testFolder, user } from './test-rows.ts';

const files = testFolder();
afterAll(() => files.remove());
for (const name of ['a.png', 'b.png']) files.write(name, 'an image');
const readOne = oneRowReader(files);

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
