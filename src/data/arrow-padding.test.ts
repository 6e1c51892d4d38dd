import { afterAll, expect, test } from 'vitest';
import { dataValues, outcomes, source, testFolder } from './test-rows.ts';

const files = testFolder();
afterAll(() => files.remove());

async function readOne(name: string, row: object | string) {
  const [outcome] = await outcomes(dataValues([source(files.write(name, [row]))]));
  return outcome;
}

const talk = (args: unknown) => [
  { role: 'user', content: 'q' },
  {
    role: 'assistant',
    content: null,
    tool_calls: [{ type: 'function', function: { name: 'search', arguments: args } }],
  },
  { role: 'tool', content: 'r' },
  { role: 'assistant', content: 'a' },
];
const parameters = {
  type: 'object',
  required: null,
  properties: {
    query: { type: 'string', description: null, default: null, enum: ['a', null] },
    temperature: null,
    default: { type: 'string' },
    page: { type: ['integer', 'null'], properties: { deep: null } },
  },
};
const tool = { type: 'function', function: { name: 'search', parameters, 'x-note': { kept: null }, strict: null } };
const clean = {
  type: 'function',
  function: {
    name: 'search',
    parameters: {
      type: 'object',
      properties: {
        query: { type: 'string', default: null, enum: ['a', null] },
        default: { type: 'string' },
        page: { type: ['integer', 'null'], properties: {} },
      },
    },
    'x-note': { kept: null },
  },
};

test("a tool comes without the nulls of other tools' parameters, and the row says so", async () => {
  const row = { messages: talk({ query: 'x' }), tools: [tool] };
  const outcome = await readOne('tools.jsonl', row);
  expect(outcome?.sample?.tools).toEqual([clean]);
  expect(outcome?.changes).toEqual(['tools[0]: 5 members that are null left out']);
  const asText = await readOne('text.jsonl', { ...row, tools: JSON.stringify([tool]) });
  expect(asText?.sample?.tools).toEqual([clean]);
});

test('a definition that is kept as text for its numbers loses them too', async () => {
  const text =
    '{"type":"function","function":{"name":"f","other":null,"default":2.0,"parameters":{"properties":{"b":null}}}}';
  const outcome = await readOne('float.jsonl', `{"messages":${JSON.stringify(talk({}))},"tools":[${text}]}`);
  expect(outcome?.sample?.tools).toEqual([
    '{"type": "function", "function": {"name": "f", "default": 2.0, "parameters": {"properties": {}}}}',
  ]);
});

test('a call keeps the nulls it may have been given: those the tool has a parameter for', async () => {
  const args = { query: 'x', page: null, city: null, days: null };
  const outcome = await readOne('calls.jsonl', { messages: talk(args), tools: [clean] });
  const given = outcome?.sample?.messages[1]?.tool_calls?.[0]?.function.arguments;
  expect(given).toEqual({ query: 'x', page: null });
  expect(outcome?.changes).toEqual([
    'messages[1].tool_calls[0]: null for city, days left out, which search has no parameter for',
  ]);
  const text = await readOne('text-calls.jsonl', {
    messages: talk('{"query": "x", "n": 1.0, "city": null}'),
    tools: [clean],
  });
  expect(text?.sample?.messages[1]?.tool_calls?.[0]?.function.arguments).toBe('{"query": "x", "n": 1.0}');
});

test('without a definition nothing says which null is none: it is kept and remarked on', async () => {
  const outcome = await readOne('unknown.jsonl', { messages: talk({ city: null }), tools: [] });
  expect(outcome?.sample?.messages[1]?.tool_calls?.[0]?.function.arguments).toEqual({ city: null });
  expect(outcome?.changes).toEqual([
    "messages[1].tool_calls[0]: null for city is kept: nothing says which parameters search has, and it may be a table's padding",
  ]);
  const none = await readOne('given.jsonl', { messages: talk({ city: 'Oslo' }) });
  expect(none?.changes).toEqual([]);
});
