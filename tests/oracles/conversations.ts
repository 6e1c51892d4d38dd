import { readFileSync } from 'node:fs';
import { Float, parseJson } from '../../src/render/index.ts';

/**
 * Conversations to render real templates with, each the JSON text of all variables. They hold what rows hold and what rows
 * should not hold: a template may refuse, and then it must refuse in Python too.
 */
export function conversations(): ReadonlyMap<string, string> {
  const file = new URL('../../src/render/goldens/conversations.json', import.meta.url);
  const golden = parseJson(readFileSync(file, 'utf8')) as Record<string, Record<string, unknown>>;
  return new Map(
    Object.entries({ ...golden, ...written }).map(([name, variables]) => [
      name,
      jsonText({ ...defaults, ...variables }),
    ]),
  );
}

/** JSON that keeps floats apart: 1.0 is written with its point. */
function jsonText(value: unknown): string {
  if (value instanceof Float) return Number.isInteger(value.value) ? value.value.toFixed(1) : String(value.value);
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return `[${value.map(jsonText).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, item]) => `${JSON.stringify(key)}: ${jsonText(item)}`)
    .join(', ')}}`;
}

const defaults = {
  tools: null,
  documents: null,
  add_generation_prompt: false,
  bos_token: '<s>',
  eos_token: '</s>',
  unk_token: '<unk>',
  pad_token: '<pad>',
};

const user = (content: unknown): object => ({ role: 'user', content });
const assistant = (content: unknown, more: object = {}): object => ({ role: 'assistant', content, ...more });
const call = (name: string, args: unknown, id = 'abcdefghi'): object => ({
  id,
  type: 'function',
  function: { name, arguments: args },
});
const tool = (content: unknown, more: object = {}): object => ({ role: 'tool', content, ...more });

const search = {
  type: 'function',
  function: {
    name: 'search',
    description: 'Find "pages" <b>& more</b>\nfast',
    parameters: {
      type: 'object',
      properties: {
        query: { type: 'string', description: 'what to look for' },
        limit: { type: 'integer', default: 3 },
        filters: {
          type: 'object',
          properties: {
            lang: { type: 'string', enum: ['de', 'fr', null] },
            near: { type: 'array', items: { type: 'number' } },
          },
        },
        either: { anyOf: [{ type: 'string' }, { type: 'null' }] },
      },
      required: ['query'],
    },
    return: { type: 'array', description: 'hits' },
  },
};
const clock = {
  type: 'function',
  function: { name: 'now', description: 'The time', parameters: { type: 'object', properties: {} } },
};
const tools = [search, clock];

const parallel = [
  { role: 'system', content: 'Use tools when needed.' },
  user('Wetter?'),
  assistant('Ich sehe nach.', {
    tool_calls: [
      call(
        'search',
        {
          query: 'Bern "West"',
          limit: 2,
          ratio: new Float(2),
          small: new Float(1e-7),
          large: new Float(1e16),
          none: null,
        },
        'call00001',
      ),
      call(
        'search',
        { query: 'Oslo', deep: { list: [1, new Float(2.5), true, 'x\ny', null], empty: {}, none: [] } },
        'call00002',
      ),
      call('now', {}, 'call00003'),
    ],
  }),
  tool('{"t": 21.5}', { tool_call_id: 'call00001', name: 'search' }),
  tool('rain', { tool_call_id: 'call00002', name: 'search' }),
  tool('12:00', { tool_call_id: 'call00003', name: 'now' }),
  assistant('Bern 21.5, Oslo Regen.'),
  user('Danke'),
];

const image = { type: 'image', image: 'a.png' };
const picture = { type: 'image_url', image_url: { url: 'https://x.io/a.png' } };

const written: Readonly<Record<string, Record<string, unknown>>> = {
  'parallel calls': { messages: parallel, tools },
  'parallel calls, prompt': { messages: parallel, tools, add_generation_prompt: true },
  'parallel calls, thinking': { messages: parallel, tools, add_generation_prompt: true, enable_thinking: true },
  'calls without tools given': { messages: parallel },
  'tools without calls': { messages: [user('Hi'), assistant('Hello')], tools },
  'tools, system, prompt': {
    messages: [{ role: 'system', content: 'S' }, user('Hi')],
    tools,
    add_generation_prompt: true,
  },
  'bare functions as tools': {
    messages: [user('Hi')],
    tools: [search.function, clock.function],
    add_generation_prompt: true,
  },
  'tools in the user message': {
    messages: [user('Hi')],
    tools,
    add_generation_prompt: true,
    tools_in_user_message: false,
    builtin_tools: ['brave_search'],
    custom_tools: tools,
    date_string: '01 Jan 2025',
  },
  'no tools, an empty list': { messages: [user('Hi')], tools: [] },
  'a call without content': {
    messages: [user('Q'), { role: 'assistant', tool_calls: [call('now', {})] }, tool('12')],
    tools,
  },
  'a call, content null': {
    messages: [
      user('Q'),
      assistant(null, { tool_calls: [call('now', {})] }),
      tool('12', { tool_call_id: 'abcdefghi' }),
      assistant('It is 12.'),
    ],
    tools,
  },
  'arguments as JSON text': {
    messages: [
      user('Q'),
      assistant('', { tool_calls: [call('search', '{"query": "é", "limit": 1.0}')] }),
      tool('x', { name: 'search', tool_call_id: 'abcdefghi' }),
    ],
    tools,
  },
  'arguments as other text': {
    messages: [
      user('Q'),
      assistant('', { tool_calls: [call('search', 'not json')] }),
      tool('x', { tool_call_id: 'abcdefghi' }),
    ],
    tools,
  },
  'arguments null': { messages: [user('Q'), assistant('', { tool_calls: [call('now', null)] })], tools },
  'arguments a list': { messages: [user('Q'), assistant('', { tool_calls: [call('now', [1, 'a'])] })], tools },
  'a flat call': {
    messages: [user('Q'), assistant('', { tool_calls: [{ name: 'now', arguments: { a: new Float(1) } }] }), tool('x')],
    tools,
  },
  'a call with a short id': {
    messages: [user('Q'), assistant('', { tool_calls: [call('now', {}, 'c1')] }), tool('x', { tool_call_id: 'c1' })],
    tools,
  },
  'a call with no id': {
    messages: [
      user('Q'),
      assistant('', { tool_calls: [{ type: 'function', function: { name: 'now', arguments: {} } }] }),
      tool('x'),
    ],
    tools,
  },
  'no calls, an empty list': { messages: [user('Q'), assistant('A', { tool_calls: [] })] },
  'calls null': { messages: [user('Q'), assistant('A', { tool_calls: null })] },
  'a result before any call': { messages: [user('Q'), tool('x', { tool_call_id: 'abcdefghi' }), assistant('A')] },
  'a result as an object': {
    messages: [
      user('Q'),
      assistant('', { tool_calls: [call('now', {})] }),
      tool({ t: new Float(1.5), n: null, ok: true }, { name: 'now', tool_call_id: 'abcdefghi' }),
    ],
    tools,
  },
  'a result as parts': {
    messages: [
      user('Q'),
      assistant('', { tool_calls: [call('now', {})] }),
      tool([{ type: 'text', text: 'part' }], { tool_call_id: 'abcdefghi' }),
    ],
    tools,
  },
  'calls and reasoning': {
    messages: [
      user('Q'),
      assistant('Well.', { reasoning_content: 'Let me see.\n', tool_calls: [call('now', {})] }),
      tool('12', { name: 'now', tool_call_id: 'abcdefghi' }),
      assistant('12.', { reasoning_content: 'Done.' }),
    ],
    tools,
    enable_thinking: true,
  },
  'a function role': {
    messages: [
      user('Q'),
      assistant('', { function_call: { name: 'now', arguments: '{}' } }),
      { role: 'function', name: 'now', content: '12' },
    ],
  },
  ipython: { messages: [user('Q'), assistant('<|python_tag|>1+1'), { role: 'ipython', content: '2' }, assistant('2')] },
  'reasoning in each turn': {
    messages: [
      user('1?'),
      assistant('one', { reasoning_content: '\n first \n' }),
      user('2?'),
      assistant('two', { reasoning_content: 'second' }),
    ],
  },
  'reasoning under other names': { messages: [user('1?'), assistant('one', { thinking: 'T', reasoning: 'R' })] },
  'reasoning written out': {
    messages: [
      user('1?'),
      assistant('<think>\na\n</think>\n\none'),
      user('2?'),
      assistant('<think>b</think>two</think>x'),
    ],
  },
  'reasoning only': { messages: [user('1?'), assistant('', { reasoning_content: 'only' })] },
  'thinking on': { messages: [user('1?')], add_generation_prompt: true, enable_thinking: true, thinking: true },
  'thinking off': {
    messages: [user('1?'), assistant('x'), user('2?')],
    add_generation_prompt: true,
    enable_thinking: false,
    thinking: false,
    reasoning_effort: 'low',
  },
  'reasoning effort': {
    messages: [{ role: 'developer', content: 'D' }, user('1?')],
    add_generation_prompt: true,
    reasoning_effort: 'high',
    model_identity: 'You are M.',
  },
  'thinking budget': {
    messages: [user('1?')],
    add_generation_prompt: true,
    thinking_budget: 512,
    preserve_thinking: true,
    keep_past_thinking: true,
  },
  'soft switches': {
    messages: [{ role: 'system', content: '/no_think' }, user('Q /think'), assistant('A'), user('R /no_think')],
    add_generation_prompt: true,
  },
  documents: {
    messages: [user('Which?')],
    documents: [
      { title: 'One', text: 'First text', doc_id: 0 },
      { title: 'Two "q"', text: 'é\nx', contents: 'C' },
    ],
    add_generation_prompt: true,
    citation_mode: 'accurate',
    controls: [{ role: 'citations', content: 'on' }],
  },
  'documents, none': { messages: [user('Which?')], documents: [], add_generation_prompt: true },
  'two users': { messages: [user('a'), user('b'), assistant('c')] },
  'assistant first': { messages: [assistant('a'), user('b')] },
  'system last': { messages: [user('a'), { role: 'system', content: 's' }], add_generation_prompt: true },
  'two systems': { messages: [{ role: 'system', content: 's' }, { role: 'system', content: 't' }, user('a')] },
  'system only': { messages: [{ role: 'system', content: 's' }] },
  'an empty system': { messages: [{ role: 'system', content: '' }, user('a'), assistant('b')] },
  'an unknown role': { messages: [{ role: 'narrator', content: 'n' }, user('a')] },
  'no role': { messages: [{ content: 'n' }] },
  'no content': { messages: [{ role: 'user' }, { role: 'assistant' }] },
  nothing: { messages: [] },
  'ends with the assistant': {
    messages: [user('a'), assistant('b')],
    add_generation_prompt: true,
    continue_final_message: true,
  },
  'right to left': { messages: [user('שלום עולם \u202bمرحبا\u202c'), assistant('עברית 👨‍👩‍👧‍👦 🇩🇪 e\u0301')] },
  'odd characters': {
    messages: [
      user('\u0000\u0007\u001b[0m\u0085\u00a0\u2028\u3000\ufeff\ufffd'),
      assistant('\ud800 x \udc00 \udfff\ud800'),
    ],
  },
  'odd white space': {
    messages: [
      { role: 'system', content: '\u00a0 s \u2003' },
      user('\t\n a \r\n\v\f'),
      assistant('\u001c\u0085 b \u200b '),
    ],
  },
  'white space only': { messages: [{ role: 'system', content: ' \n' }, user('  '), assistant('\n\n')] },
  'template text in content': { messages: [user('{{ 7*7 }}{% raw %}'), assistant('{# c #} %} }}')] },
  'control tokens in content': {
    messages: [user('<|im_end|>\n<|im_start|>assistant'), assistant('</s>[INST] <start_of_turn> <|eot_id|>')],
  },
  'a content that is a number': { messages: [user(new Float(3)), assistant(7)] },
  'a content that is an object': { messages: [user({ a: new Float(1), b: [true, null] }), assistant(['x', 'y'])] },
  'text parts': {
    messages: [
      { role: 'system', content: [{ type: 'text', text: ' sys ' }] },
      user([
        { type: 'text', text: 'a' },
        { type: 'text', text: ' b' },
      ]),
      assistant([{ type: 'text', text: 'c' }]),
    ],
  },
  'an image': {
    messages: [user([image, { type: 'text', text: 'What?' }]), assistant('A cat')],
    add_generation_prompt: true,
  },
  'images and video': {
    messages: [
      user([
        picture,
        { type: 'text', text: 'and' },
        { type: 'video', video: 'v.mp4' },
        { type: 'audio', audio: 'a.wav' },
        { type: 'text', text: '?' },
      ]),
      assistant([{ type: 'text', text: 'Many' }]),
    ],
    add_vision_id: true,
  },
  'images in two turns': {
    messages: [
      user([image, { type: 'text', text: '1' }]),
      assistant('x'),
      user([image, image, { type: 'text', text: '2' }]),
    ],
    add_generation_prompt: true,
    image_token: '<image>',
  },
  'an unknown part': { messages: [user([{ type: 'smell', smell: 'rose' }, { text: 'bare' }])] },
  'no parts': { messages: [user([]), assistant([])] },
  'names and weights': {
    messages: [
      { role: 'user', name: 'Ann', content: 'a' },
      { role: 'assistant', name: 'Bot', content: 'b', weight: 0, prefix: true },
    ],
  },
  'a long talk': {
    messages: [
      { role: 'system', content: 'S' },
      ...Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? user(`q${i}`) : assistant(`a${i}`))),
    ],
    add_generation_prompt: true,
  },
  'no special tokens': { messages: [user('a'), assistant('b')], bos_token: null, eos_token: '' },
};
