import { describe, expect, it, test } from 'vitest';
import { applyAgent, parseAnswer } from './agent.ts';
import { parseJson } from './jinja/json.ts';
import type { ChatMessage, TemplateData } from './messages.ts';

const tool = {
  type: 'function',
  function: { name: 'weather', description: 'Tells the weather.', parameters: { type: 'object', properties: {} } },
};
const call = (args: string): TemplateData => ({
  id: 'c',
  type: 'function',
  function: { name: 'weather', arguments: args },
});
const conversation: readonly ChatMessage[] = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Oslo and Rome?' },
  {
    role: 'assistant',
    content: 'Let me see.',
    tool_calls: [call('{"city":"Oslo","days":1.0}'), call('{}')],
    weight: 0.5,
  },
  { role: 'tool', tool_call_id: 'c', content: 'sun' },
  { role: 'tool', tool_call_id: 'c', content: 'rain' },
  { role: 'assistant', content: 'Sun and rain.' },
];

const written = {
  hermes:
    'Let me see.\n<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo", "days": 1.0}}\n</tool_call>\n<tool_call>\n{"name": "weather", "arguments": {}}\n</tool_call>',
  react: 'Let me see.\nAction: weather\nAction Input: {"city": "Oslo", "days": 1.0}\nAction: weather\nAction Input: {}',
  qwen: 'Let me see.\n✿FUNCTION✿: weather\n✿ARGS✿: {"city": "Oslo", "days": 1.0}\n✿FUNCTION✿: weather\n✿ARGS✿: {}',
} as const;
const results = {
  hermes: '<tool_response>\nsun\n</tool_response>\n<tool_response>\nrain\n</tool_response>',
  react: 'Observation: sun\nObservation: rain',
  qwen: '✿RESULT✿: sun\n✿RESULT✿: rain',
} as const;

describe.each(['hermes', 'react', 'qwen'] as const)('tools written as %s', (format) => {
  const { messages, tools } = applyAgent(format, { messages: conversation, tools: [tool] });

  it('stand in the system message, the calls in the answer, the results in a turn of the user', () => {
    expect(tools).toBeUndefined();
    expect(messages.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'user', 'assistant']);
    expect(messages[0]?.content).toMatch(/^Be brief\.\n\n/);
    expect(messages[0]?.content).toContain('weather');
    expect(messages[0]?.content).toContain('Tells the weather.');
    expect(messages[2]).toEqual({ role: 'assistant', content: written[format], weight: 0.5 });
    expect(messages[3]).toEqual({ role: 'user', content: results[format] });
  });

  it('are read back from the answer', () => {
    const { content, calls } = parseAnswer(format, String(messages[2]?.content));
    expect(content).toBe('Let me see.');
    expect(calls).toEqual([
      { name: 'weather', arguments: '{"city": "Oslo", "days": 1.0}' },
      { name: 'weather', arguments: '{}' },
    ]);
    expect(calls.map(({ arguments: text }) => parseJson(text))).toHaveLength(2);
    expect(parseAnswer(format, 'Sun and rain.')).toEqual({ content: 'Sun and rain.', calls: [] });
  });

  it('make a system message where there is none', () => {
    const { messages: made } = applyAgent(format, { messages: conversation.slice(1, 2), tools: [tool] });
    expect(made.map(({ role }) => role)).toEqual(['system', 'user']);
  });

  it('leave a conversation without tools alone', () => {
    const plain = { messages: conversation.slice(0, 2), tools: [] };
    expect(applyAgent(format, plain).messages).toBe(plain.messages);
  });
});

test('the definition of hermes is the JSON of OpenAI, with the spaces of Python', () => {
  const { messages } = applyAgent('hermes', { messages: [], tools: [tool.function] });
  expect(messages[0]?.content).toContain(
    '<tools>\n{"type": "function", "function": {"name": "weather", "description": "Tells the weather.", "parameters": {"type": "object", "properties": {}}}}\n</tools>',
  );
});

test('what is no call stays text', () => {
  const answer = 'See <tool_call>nothing</tool_call>';
  expect(parseAnswer('hermes', answer)).toEqual({ content: answer, calls: [] });
});
