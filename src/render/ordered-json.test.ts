import { expect, test } from 'vitest';
import { Float } from './jinja/value.ts';
import { parseTemplateData } from './ordered-json.ts';
import { renderRow } from './render-row.ts';
import { compileTemplate } from './template.ts';

test('numbers stay as they were written, and so does the order of keys', () => {
  expect(parseTemplateData('{"a": 1.0, "b": 1, "c": 12345678901234567890, "d": [1e2, -0]}')).toEqual({
    a: new Float(1),
    b: 1,
    c: 12345678901234567890n,
    d: [new Float(100), 0],
  });
  const mixed = parseTemplateData(' {"b" : {"x":[{"1":2,"0":{}}, "\\"1\\": "]}, "10":[ ] , "2": null,"10": "last"} ');
  expect(mixed).toBeInstanceOf(Map);
  expect([...(mixed as Map<string, unknown>)]).toEqual([
    [
      'b',
      {
        x: [
          new Map<string, unknown>([
            ['1', 2],
            ['0', {}],
          ]),
          '"1": ',
        ],
      },
    ],
    ['10', 'last'],
    ['2', null],
  ]);
  expect(() => parseTemplateData('{"1": }')).toThrow(SyntaxError);
});

test('a template sees the keys in their order', () => {
  const template = compileTemplate('{{ tools | tojson }}{% for key in messages[0].content %}{{ key }},{% endfor %}');
  const line =
    '{"messages": [{"role": "user", "content": {"b": 1, "2": 1, "1": 1}}], "tools": [{"2": 1.50, "1": 1E2}]}';
  expect(renderRow(line, { template, now: new Date(0) }).text).toBe('[{"2": 1.5, "1": 100.0}]b,2,1,');
});
