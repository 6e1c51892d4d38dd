import { hash } from 'node:crypto';
import { afterAll, describe, expect, test } from 'vitest';
import { fingerprint } from '../core/fingerprint.ts';
import { compileTemplate, encodeSample, prepareTools } from '../render/index.ts';
import { testTokenizer } from '../render/test-tokenizer.ts';
import { sample } from '../schema/sample.ts';
import { assistant, call, chat, dataValues, oneRowReader, outcomes, source, testFolder, user } from './test-rows.ts';

const files = testFolder();
afterAll(() => files.remove());
for (const name of ['a.png', 'b.png']) files.write(name, 'an image');
const readOne = oneRowReader(files);

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

test('arguments that are no JSON stay as they are, and the row says so', async () => {
  const calls = [call('f', '{bad'), call('g', '{"x": 1}'), call('h', '')];
  const { sample: read, changes } = await readOne({ messages: [user('q'), assistant(null, { tool_calls: calls })] });
  expect(read?.messages[1]?.tool_calls).toEqual(calls);
  expect(changes).toEqual(['messages[1].tool_calls[0]: the arguments of f are no JSON, and stay as they are']);
});
