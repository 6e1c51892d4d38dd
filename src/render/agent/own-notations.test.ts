import { describe, expect, test } from 'vitest';
import type { TemplateData } from '../messages.ts';
import { parseAnswer } from './agent.ts';

const tools: readonly TemplateData[] = [
  {
    name: 'f',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string' }, days: { type: 'integer' }, where: { type: 'object' } },
    },
  },
];
const read = (notation: Parameters<typeof parseAnswer>[0], answer: string) => {
  const { content, calls } = parseAnswer(notation, answer, tools);
  return { content, calls: calls.map((call) => [call.name, JSON.parse(call.arguments) as unknown]) };
};

describe('GPT-OSS', () => {
  const thought = '<|channel|>analysis<|message|>They ask of to=functions.g.<|end|><|start|>assistant';
  const said = '<|channel|>commentary<|message|>I look.<|end|><|start|>assistant';

  test('as the template writes a call, and as the model does', () => {
    const given = '{"city": "Oslo", "days": 2}';
    for (const head of [
      ' to=functions.f<|channel|>commentary json',
      '<|channel|>commentary to=functions.f <|constrain|>json',
      '<|channel|>commentary to=functions.f<|constrain|>json',
    ])
      for (const end of ['<|call|>', '']) {
        const answer = `${thought}${said}${head}<|message|>${given}${end}`;
        expect(read('harmony', answer)).toEqual({ content: 'I look.', calls: [['f', { city: 'Oslo', days: 2 }]] });
      }
  });

  test('an answer without calls is what it says at last', () => {
    expect(read('harmony', `${thought}<|channel|>final<|message|>Sun.<|return|>`)).toEqual({
      content: 'Sun.',
      calls: [],
    });
    expect(read('harmony', 'Sun.')).toEqual({ content: 'Sun.', calls: [] });
  });

  test('arguments that are no JSON are given as a text', () => {
    const answer = '<|channel|>commentary to=functions.f<|message|>{"a": <|call|>';
    expect(read('harmony', answer).calls).toEqual([['f', '{"a":']]);
  });
});

describe('LFM2', () => {
  const block = (calls: string): string => `So.<|tool_call_start|>${calls}<|tool_call_end|> `;

  test('calls as Python writes them', () => {
    const text = String.raw`[f(city='it\'s "C"\\\n, a=(1)]', days=-3, x=1.5, y=True, z=None), g.h(), f(where={"a": [1, {"b": false}], "2": 'x'}, e=[],)]`;
    expect(read('lfm2', block(text))).toEqual({
      content: 'So.',
      calls: [
        ['f', { city: 'it\'s "C"\\\n, a=(1)]', days: -3, x: 1.5, y: true, z: null }],
        ['g.h', {}],
        ['f', { where: { a: [1, { b: false }], 2: 'x' }, e: [] }],
      ],
    });
  });

  test('texts of the templates of 2.5, whose quotes are not escaped', () => {
    expect(read('lfm2', block("[f(city='it's so, it's', days=1), f(city='l'Aquila')]")).calls).toEqual([
      ['f', { city: "it's so, it's", days: 1 }],
      ['f', { city: "l'Aquila" }],
    ]);
  });

  test('calls as JSON, and what is no call', () => {
    expect(read('lfm2', block('[{"name": "f", "arguments": {"city": "Oslo"}}]')).calls).toEqual([
      ['f', { city: 'Oslo' }],
    ]);
    for (const broken of ['[f(city=)]', '[f(city]', 'f()', '[f() g()]', `[f(a=${'['.repeat(100_000)}`, '[f(a=b)]'])
      expect(read('lfm2', block(broken))).toEqual({ content: block(broken), calls: [] });
  });
});

describe('Muse', () => {
  const call = (city: string): string =>
    `<atem:function_calls>\n<atem:invoke name="f">\n<atem:parameter name="city">${city}</atem:parameter>\n<atem:parameter name="where">{"a": null}</atem:parameter>\n</atem:invoke>\n</atem:function_calls>`;

  test('calls in messages of their own, behind reasoning', () => {
    const answer = ` to=self<|message|>Hm.<|eom|><|start|>assistant to=f<|message|>${call('7')}<|eom|><|start|>assistant to=f<|message|>${call('Oslo\nand "Rome"')}<|eot|>`;
    expect(read('muse', answer)).toEqual({
      content: '',
      calls: [
        ['f', { city: '7', where: { a: null } }],
        ['f', { city: 'Oslo\nand "Rome"', where: { a: null } }],
      ],
    });
  });

  test('an answer without calls is what it says to the user', () => {
    const answer = ' to=self<|message|>Hm.<|eom|><|start|>assistant to=user<|message|>Sun.<|eot|>';
    expect(read('muse', answer)).toEqual({ content: 'Sun.', calls: [] });
    expect(read('muse', 'Sun.')).toEqual({ content: 'Sun.', calls: [] });
  });
});

test('JSON that nests without end is no JSON', () => {
  const deep = `${'{"a":'.repeat(3000)}1${'}'.repeat(3000)}`;
  const answer = `{"name": "f", "parameters": ${deep}}`;
  expect(parseAnswer('llama3', answer)).toEqual({ content: answer, calls: [] });
  const numbered = `<tool_call>{"name": "f", "arguments": ${deep.replaceAll('"a"', '"1"')}}</tool_call>`;
  expect(parseAnswer('hermes', numbered)).toEqual({ content: numbered, calls: [] });
});
