import OpenAI from 'openai';
import { expect, test } from 'vitest';
import { tokenizerFrom } from '../models/tokenizer.ts';
import { applyAgent } from '../render/agent/agent.ts';
import { compileTemplate, encodePrompt, prepareTools, type TemplateData, toolCallsOf } from '../render/index.ts';
import type { AgentFormat } from '../schema/agent-formats.ts';
import type { Capture } from '../schema/deployment.ts';
import { fakeEngine } from '../testing/fake-engine.ts';
import { tinyTokenizerJson } from '../testing/tiny-tokenizer.ts';
import { createGateway } from './gateway.ts';

const definition = tinyTokenizerJson() as {
  added_tokens: { id: number; content: string; special: boolean }[];
  model: { vocab: Record<string, number> };
};
const extra = ['[TOOL_CALLS]', '<tool_call>'];
for (const content of extra) {
  const id = Object.keys(definition.model.vocab).length;
  definition.model.vocab[content] = id;
  const [first] = definition.added_tokens;
  if (first) definition.added_tokens.push({ ...first, id, content, special: content === '[TOOL_CALLS]' });
}
const tokenizer = tokenizerFrom(JSON.stringify(definition));
const ids = (text: string): number[] => Array.from(tokenizer.encode(text).ids);

const turns =
  "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + (m.content or '') }}{% for c in m.tool_calls or [] %}CALL{% endfor %}{{ '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
const tools = '{% if tools %}{{ tools | tojson }}\\n{% endif %}';
const templates = {
  /** Writes calls as Qwen's do. */
  hermes: `${tools}${turns.replace('CALL', '<tool_call>\n{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}\n</tool_call>')}`,
  mistral: `${tools}${turns.replace('CALL', '[TOOL_CALLS] [{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}, "id": "{{ c.id }}"}]')}`,
  xml: `${tools}${turns.replace('CALL', '<tool_call>\n<function={{ c.function.name }}>\n{% for k, v in c.function.arguments | items %}<parameter={{ k }}>\n{{ v if v is string else v | tojson }}\n</parameter>\n{% endfor %}</function>\n</tool_call>')}`,
  none: turns.replace('CALL', ''),
} as const;

interface Served {
  readonly template: string;
  readonly agent?: AgentFormat;
  readonly answer: string;
  readonly maxTokens?: number;
}

function serve({ template: source, agent = 'none', answer }: Served) {
  const template = compileTemplate(source);
  const captures: Capture[] = [];
  const engine = fakeEngine({ answer: () => ids(answer), models: ['base'] });
  const entry = {
    name: 'base',
    model: null,
    modelFingerprint: '0'.repeat(64),
    planHash: null,
    base: '/base',
    adapter: null,
  };
  const calls = toolCallsOf({ template, specialTokens: {}, agent, tokenizer });
  const encoder = {
    tokenizer,
    stopTokens: [2],
    toolCalls: () => calls,
    prompt: ({ messages, tools: offered }: { readonly messages: readonly object[]; readonly tools?: unknown }) =>
      Array.from(
        encodePrompt({
          template,
          tokenizer,
          ...applyAgent(agent, {
            messages: messages as never,
            tools: prepareTools(offered as readonly TemplateData[] | undefined),
          }),
        }).ids,
      ),
  };
  let count = 0;
  const { app } = createGateway({
    backend: {
      engine,
      deployment: { address: 'base@1', fingerprint: '1'.repeat(64), createdAt: '2026-01-01T00:00:00.000Z' },
      models: [{ entry, encoder, maxLength: 4000 }],
      capture: async (capture) => void captures.push(capture),
      clock: () => new Date(0),
      newId: () => `chatcmpl-${count++}`,
      newSeed: () => 1,
    },
    apiKey: null,
    hostNames: null,
    slots: 1,
    maxWaiting: 1,
    log: () => {},
  });
  const client = new OpenAI({
    baseURL: 'http://localhost/v1',
    apiKey: 'none',
    maxRetries: 0,
    fetch: async (url, init) => app.fetch(new Request(url as string, init as RequestInit)),
  });
  return { client, captures, engine };
}

const weather: OpenAI.ChatCompletionTool = {
  type: 'function',
  function: {
    name: 'weather',
    parameters: { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } } },
  },
};
const question = { model: 'base', messages: [{ role: 'user' as const, content: 'Oslo and 7?' }], tools: [weather] };
const expected = [
  { type: 'function', function: { name: 'weather', arguments: { city: 'Oslo', days: 3 } } },
  { type: 'function', function: { name: 'weather', arguments: { city: '7', days: 1 } } },
];
const json = (calls: readonly { readonly arguments: string }[] | undefined) =>
  calls?.map(({ arguments: given, ...call }) => ({ ...call, arguments: JSON.parse(given) as unknown }));

const xml = (city: string, days: number): string =>
  `<tool_call>\n<function=weather>\n<parameter=city>\n${city}\n</parameter>\n<parameter=days>\n${days}\n</parameter>\n</function>\n</tool_call>`;
const object = (city: string, days: number, key = 'arguments'): string =>
  `{"name": "weather", "${key}": {"city": "${city}", "days": ${days}}}`;

const answers: Readonly<Record<string, Served>> = {
  "the model's own template, JSON in tags": {
    template: templates.hermes,
    answer: `Let me see.\n\n<tool_call>\n${object('Oslo', 3)}\n</tool_call>\n<tool_call>\n${object('7', 1)}\n</tool_call>`,
  },
  "the model's own template, behind a special token": {
    template: templates.mistral,
    answer: `Let me see.[TOOL_CALLS] [${object('Oslo', 3)}, ${object('7', 1)}]`,
  },
  "the model's own template, a tag each": {
    template: templates.xml,
    answer: `Let me see.\n${xml('Oslo', 3)}\n${xml('7', 1)}`,
  },
  'a named format': {
    template: templates.none,
    agent: 'react_en',
    answer:
      'Let me see.\nAction: weather\nAction Input: {"city": "Oslo", "days": 3}\nAction: weather\nAction Input: {"city": "7", "days": 1}',
  },
  'a named format that begins with a brace': {
    template: templates.none,
    agent: 'llama3',
    answer: `Let me see.\n${object('Oslo', 3, 'parameters')}\n${object('7', 1, 'parameters')}`,
  },
};

test.each(Object.keys(answers))('calls become tool_calls, whole and streamed: %s', async (name) => {
  const { client, captures, engine } = serve(answers[name] as Served);
  const whole = await client.chat.completions.create(question);
  const [choice] = whole.choices;
  expect(choice?.finish_reason).toBe('tool_calls');
  expect(choice?.message.content).toBe('Let me see.');
  const calls = choice?.message.tool_calls as OpenAI.ChatCompletionMessageFunctionToolCall[];
  expect(calls.map(({ type, function: called }) => ({ type, function: json([called])?.[0] }))).toEqual(expected);
  for (const { id } of calls) expect(id).toMatch(/^[a-z0-9]{9}$/);
  expect(new Set(calls.map(({ id }) => id)).size).toBe(2);
  expect(captures[0]).toMatchObject({
    finishReason: 'tool_calls',
    message: { content: 'Let me see.', toolCalls: calls },
  });
  // The tools stand in the prompt.
  expect(tokenizer.decode(engine.requests[0]?.prompt ?? [])).toContain('weather');

  // The client's own helper puts the deltas together, and is strict about them.
  const stream = client.chat.completions.stream(question);
  const contents: string[] = [];
  stream.on('content', (delta) => void contents.push(delta));
  const streamed = await stream.finalChatCompletion();
  expect(contents.join('')).toBe('Let me see.');
  expect(contents.length).toBeGreaterThan(1);
  expect(streamed.choices[0]?.finish_reason).toBe('tool_calls');
  expect(
    streamed.choices[0]?.message.tool_calls?.map((call) => ({
      type: call.type,
      function: json([(call as OpenAI.ChatCompletionMessageFunctionToolCall).function as { arguments: string }])?.[0],
    })),
  ).toMatchObject(expected);
});

test('the next turn takes the calls and their results, and says what the template writes of them', async () => {
  const { client, engine } = serve({
    template: templates.hermes,
    answer: `<tool_call>\n${object('Oslo', 3)}\n</tool_call>`,
  });
  const first = (await client.chat.completions.create(question)).choices[0]?.message;
  expect(first?.content).toBeNull();
  const call = first?.tool_calls?.[0];
  const messages = [
    ...question.messages,
    first as OpenAI.ChatCompletionMessage,
    { role: 'tool' as const, tool_call_id: call?.id ?? '', content: 'sun' },
  ];
  await client.chat.completions.create({ ...question, messages });
  const prompt = tokenizer.decode(engine.requests[1]?.prompt ?? []);
  expect(prompt).toContain(
    '<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo", "days": 3}}\n</tool_call><|im_end|>',
  );
  expect(prompt).toContain('<|im_start|>tool\nsun<|im_end|>');
});

test('an answer that calls nothing is an answer, and one that looks like a call is given whole', async () => {
  for (const answer of ['Sun.', 'Sun <tool_call> of nothing', ' <tool_call>{"name": 3}</tool_call> ']) {
    const { client } = serve({ template: templates.hermes, answer });
    const { choices } = await client.chat.completions.create(question);
    expect(choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: answer } });
    expect(choices[0]?.message.tool_calls).toBeUndefined();
    const streamed = await client.chat.completions.stream(question).finalChatCompletion();
    expect(streamed.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: answer } });
  }
});

test('a call that was cut short is no call: the answer ends by its length', async () => {
  const { client } = serve({ template: templates.hermes, answer: `<tool_call>\n${object('Oslo', 3)}\n</tool_call>` });
  const { choices } = await client.chat.completions.create({ ...question, max_completion_tokens: 20 });
  expect(choices[0]?.finish_reason).toBe('length');
  expect(choices[0]?.message.tool_calls).toBeUndefined();
});

test('tool_choice none offers nothing and reads nothing; a forced call is refused by name', async () => {
  const answer = `<tool_call>\n${object('Oslo', 3)}\n</tool_call>`;
  const { client, engine } = serve({ template: templates.hermes, answer });
  const { choices } = await client.chat.completions.create({ ...question, tool_choice: 'none' });
  expect(choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: answer } });
  expect(tokenizer.decode(engine.requests[0]?.prompt ?? [])).not.toContain('weather');
  for (const choice of ['required', { type: 'function', function: { name: 'weather' } }] as const)
    await expect(client.chat.completions.create({ ...question, tool_choice: choice })).rejects.toMatchObject({
      status: 400,
      param: 'tool_choice',
      code: 'unsupported_parameter',
    });
});

test('a model whose template has no place for tools refuses them', async () => {
  const { client, engine } = serve({ template: templates.none, answer: 'x' });
  await expect(client.chat.completions.create(question)).rejects.toMatchObject({ status: 400, param: 'tools' });
  expect(engine.requests).toEqual([]);
});
