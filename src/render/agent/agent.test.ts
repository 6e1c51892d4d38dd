import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type RandomStream, randomStream } from '../../core/random.ts';
import { agentFormats } from '../../schema/agent-formats.ts';
import type { Json } from '../../schema/common.ts';
import { encodeSample } from '../encode-sample.ts';
import type { ChatMessage, TemplateData } from '../messages.ts';
import { compileTemplate } from '../template.ts';
import { testTokenizer } from '../test-tokenizer.ts';
import { applyAgent, namedFormats, parseAnswer } from './agent.ts';
import { familyOf } from './test-formats.ts';

interface Call {
  readonly name: string;
  readonly arguments: Record<string, Json>;
}
interface Case {
  readonly said: string;
  readonly calls: readonly Call[];
  readonly results: readonly { readonly name: string; readonly content: string }[];
}
interface Cases {
  readonly tools: readonly TemplateData[];
  readonly systems: readonly (string | null)[];
  readonly cases: Readonly<Record<string, Case>>;
}
interface Golden {
  readonly formats: Readonly<
    Record<
      string,
      {
        readonly systems: readonly { readonly system: string; readonly question: string }[];
        readonly cases: Readonly<
          Record<
            string,
            {
              readonly answer: string;
              readonly whole: string;
              readonly calls: readonly { readonly name: string; readonly arguments: Json }[] | null;
            }
          >
        >;
      }
    >
  >;
}

const read = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`../goldens/${name}.json`, import.meta.url), 'utf8')) as T;
const { tools, systems, cases } = read<Cases>('agent-cases');
/** What ms-swift makes of them; `tests/oracles/agent-formats.test.ts` holds it to the installed one. */
const golden = read<Golden>('agent-formats').formats;

const question: ChatMessage = { role: 'user', content: 'Oslo?' };
function conversation({ said, calls, results }: Case): readonly ChatMessage[] {
  return [
    question,
    {
      role: 'assistant',
      content: said,
      tool_calls: calls.map((call, index) => ({ id: `c${index}`, type: 'function', function: { ...call } })),
    } as ChatMessage,
    ...results.map(({ content }, index) => ({ role: 'tool', tool_call_id: `c${index}`, content })),
  ];
}

/** Where ms-swift reads less back than it wrote: objects in arguments, quotes in strings, null. */
const readsMore: Readonly<Record<string, readonly string[]>> = {
  llama3: ['parallel'],
  llama4: ['parallel'],
  gemma4: ['spoken'],
  minimax_m2: ['null'],
  hy_v3_preview: ['null'],
  hy_v3: ['null'],
};
/** ms-swift leaves out what the system message says; here it stands in front. */
const systemLost = new Set(['react_en', 'react_zh', 'react_grpo', 'toolbench', 'chatglm4', 'glm4']);
/** What the families of these write around several turns in front. */
const twoTurns: Readonly<Record<string, (turns: readonly ChatMessage[]) => string>> = {
  glm4_5: (turns) => turns.map(({ content }) => content).join('<|system|>\n'),
  glm4_7: (turns) => turns.map(({ content }) => content).join('<|system|>\n'),
  glm5_1: (turns) => turns.map(({ content }) => content).join('<|system|>\n'),
  seed_oss: (turns) => turns.map(({ content }) => content).join('<seed:eos><seed:bos>system\n'),
  kimi_k25: (turns) =>
    turns.map(({ role, content }) => `${role}<|im_middle|>${content}`).join('<|im_end|><|im_system|>'),
  kimi_k3: (turns) =>
    turns
      .map((turn) => {
        const { type } = turn as { readonly type?: string };
        return `role="${turn.role}"${type ? ` type="${type}"` : ''}<|sep|>${turn.content}`;
      })
      .join('<|close|>message<|sep|><|end_of_msg|><|open|>message '),
};

test('every format that ms-swift has is here', () => {
  expect([...namedFormats].sort()).toEqual(Object.keys(golden).sort());
  expect(['none', ...namedFormats].sort()).toEqual([...agentFormats].sort());
});

describe.each(namedFormats)('%s', (format) => {
  const theirs = golden[format];

  test('writes the tools as ms-swift does', () => {
    systems.forEach((system, index) => {
      const front: ChatMessage[] = system === null ? [] : [{ role: 'system', content: system }];
      const { messages, tools: left } = applyAgent(format, { messages: [...front, question], tools });
      expect(left).toBeUndefined();
      const written = messages.slice(0, -1);
      const ours = (twoTurns[format] ?? ((turns) => turns.map(({ content }) => content).join('')))(written);
      const lost = system !== null && systemLost.has(format);
      expect(ours).toBe(`${lost ? `${system}\n\n` : ''}${theirs?.systems[index]?.system}`);
      expect(messages.at(-1)?.content).toBe(theirs?.systems[index]?.question);
    });
  });

  test.each(Object.keys(cases))('writes calls and results as ms-swift does, and reads the calls back: %s', (name) => {
    const given = cases[name] as Case;
    // Kimi's rows come to ms-swift with the channel closed behind what is said.
    const closed = format === 'kimi_k3' && given.said !== '' ? '<|close|>response<|sep|>' : '';
    const { messages } = applyAgent(format, { messages: conversation(given) });
    const [asked, answer, ...results] = messages;
    expect(asked).toBe(question);
    expect(answer?.role).toBe('assistant');
    const { open, turn, close } = familyOf[format];
    const whole = `${answer?.content}${open}${results.map(turn).join('')}${close}`;
    expect(whole).toBe(theirs?.cases[name]?.whole.replace(given.said, `${given.said}${closed}`));

    const typed = parseAnswer(format, String(answer?.content), tools);
    expect(typed.content).toBe(given.said.trim());
    // MiniMax leaves out what is null.
    const kept = (call: Call) =>
      format === 'minimax_m3'
        ? Object.fromEntries(Object.entries(call.arguments).filter(([, v]) => v !== null))
        : call.arguments;
    expect(typed.calls.map((call) => ({ ...call, arguments: JSON.parse(call.arguments) }))).toEqual(
      given.calls.map((call) => ({ name: call.name, arguments: kept(call) })),
    );

    const untyped = parseAnswer(format, String(answer?.content));
    const parsed = (value: Json): Json => (typeof value === 'string' ? (JSON.parse(value) as Json) : value);
    if (theirs?.cases[name]?.calls && !readsMore[format]?.includes(name))
      expect(untyped.calls.map((call) => ({ ...call, arguments: parsed(call.arguments) }))).toEqual(
        theirs.cases[name]?.calls?.map((call) => ({ ...call, arguments: parsed(call.arguments) })),
      );
  });

  test('leaves an answer without calls, and a conversation without tools, alone', () => {
    const said = 'Sun, and { rain } <b>. Action: none';
    expect(parseAnswer(format, said, tools)).toEqual({ content: said, calls: [] });
    const alone = { messages: [question], tools: [] };
    expect(applyAgent(format, alone).messages).toBe(alone.messages);
  });
});

const special = ['<|im_start|>', '<|im_end|>', '<tool_call>', '</tool_call>'];
const tokenizer = testTokenizer({ special });
const template = compileTemplate(
  "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content | trim + '<|im_end|>\\n' }}{% endfor %}",
);

test('a control token that the format writes is that token; one that a row spells stays text', () => {
  const spelled = { name: 'weather', arguments: { city: '<tool_call> Oslo </tool_call>' } };
  const given: Case = {
    said: ' a <tool_call> b ',
    calls: [spelled],
    results: [{ name: 'weather', content: '</tool_call>' }],
  };
  const { messages } = applyAgent('hermes', { messages: conversation(given), tools });
  const encoded = encodeSample({
    template,
    tokenizer,
    messages,
    learn: 'assistant',
    stopTokens: [1],
    now: new Date(0),
  });
  const value = encoded.ok ? encoded.value : expect.unreachable();
  const count = (token: string): number => value.ids.filter((id) => id === tokenizer.idOf(token)).length;
  // Each once in the instructions' tags, in their example, and around the call.
  expect([count('<tool_call>'), count('</tool_call>')]).toEqual([3, 3]);
  expect(value.lookalikes.map(({ token }) => token).sort()).toEqual([
    '</tool_call>',
    '</tool_call>',
    '<tool_call>',
    '<tool_call>',
  ]);
  // A row cannot say of itself which of its words are the format's.
  const forged = { role: 'user', content: '<tool_call>', own: [[0, 11]] } as ChatMessage;
  const plain = encodeSample({
    template,
    tokenizer,
    messages: [forged],
    learn: 'all',
    stopTokens: [1],
    now: new Date(0),
  });
  expect(plain.ok && plain.value.lookalikes).toHaveLength(1);
});

test('results are put in the order of their calls, and what says how to learn is kept', () => {
  const call = (id: string, name: string): TemplateData => ({
    id,
    type: 'function',
    function: { name, arguments: '{}' },
  });
  const { messages } = applyAgent('kimi_k25', {
    messages: [
      question,
      { role: 'assistant', content: null, tool_calls: [call('a', 'f'), call('b', 'g')], weight: 0.5, learn: true },
      { role: 'tool', tool_call_id: 'b', content: 'of g' },
      { role: 'tool', tool_call_id: 'a', content: 'of f' },
    ],
  });
  expect(messages[1]).toMatchObject({ weight: 0.5, learn: true });
  expect(messages[1]).not.toHaveProperty('tool_calls');
  expect(messages.slice(2).map(({ content }) => content)).toEqual([
    '## Return of functions.f:0\nof f',
    '## Return of functions.g:1\nof g',
  ]);
});

test('numbers keep their point, keys their order, and text that is no JSON stands as it is', () => {
  const call = (given: string): ChatMessage =>
    ({ role: 'assistant', content: '', tool_calls: [{ function: { name: 'f', arguments: given } }] }) as ChatMessage;
  const written = (given: string): unknown =>
    applyAgent('hermes', { messages: [question, call(given)] }).messages[1]?.content;
  expect(written('{"2":1.0,"1":12345678901234567890}')).toContain(
    '"arguments": {"2": 1.0, "1": 12345678901234567890}}',
  );
  expect(written('nonsense')).toContain('"arguments": nonsense}');
});

test("values in Python's words take the type that the tool gives them", () => {
  const written = (value: string): string =>
    `<tool_call><function=weather><parameter=exact>${value}</parameter><parameter=city>${value}</parameter></function></tool_call>`;
  const read = (value: string): unknown =>
    JSON.parse(parseAnswer('qwen3_coder', written(value), tools).calls[0]?.arguments ?? '');
  expect(read('True')).toEqual({ exact: true, city: 'True' });
  expect(read('None')).toEqual({ exact: null, city: 'None' });
});

const signs = [
  'a',
  'B',
  '7',
  ' ',
  '\n',
  '"',
  "'",
  '\\',
  '<',
  '>',
  '&',
  '{',
  '}',
  '[',
  ',',
  ':',
  'é',
  '漢',
  '🦆',
  '|',
  '`',
];
const looksElse = ['5', '1.0', 'true', 'True', '{}', '[1]', '""', ' x ', '\nx\n', ''];

function randomCall(random: RandomStream): Call {
  const text = (): string =>
    random.below(4) === 0
      ? (looksElse[random.below(looksElse.length)] ?? '')
      : Array.from({ length: random.below(12) }, () => signs[random.below(signs.length)]).join('');
  const value: Readonly<Record<string, () => Json>> = {
    string: text,
    integer: () => random.below(2000) - 1000,
    number: () => (random.below(2000) - 1000) / 8 + 1 / 16,
    boolean: () => random.below(2) === 0,
    array: () => Array.from({ length: 1 + random.below(3) }, () => random.below(9)),
    object: () => ({ b: random.below(9), a: [true] }),
  };
  const types = Object.keys(value).filter(() => random.below(2) === 0);
  return { name: 'probe', arguments: Object.fromEntries(types.map((type) => [`a_${type}`, value[type]?.() ?? null])) };
}

const probe: TemplateData = {
  name: 'probe',
  description: '',
  parameters: {
    type: 'object',
    properties: Object.fromEntries(
      ['string', 'integer', 'number', 'boolean', 'array', 'object'].map((type) => [`a_${type}`, { type }]),
    ),
  },
};

test.each(namedFormats)('%s reads back what it wrote, whatever the arguments are', (format) => {
  const random = randomStream(28);
  for (let round = 0; round < 60; round++) {
    const calls = Array.from({ length: 1 + random.below(3) }, () => randomCall(random));
    const { messages } = applyAgent(format, { messages: conversation({ said: 'So.', calls, results: [] }) });
    const read = parseAnswer(format, String(messages[1]?.content), [probe]);
    expect(read.calls.map((call) => ({ ...call, arguments: JSON.parse(call.arguments) }))).toEqual(calls);
    expect(read.content).toBe('So.');
  }
});
