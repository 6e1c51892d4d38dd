import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { formatInspection } from './inspection.ts';

const provenance = { source: 'rows.jsonl', file: 'rows.jsonl', line: 7, sha256: 'a'.repeat(64) };

const inspection: Parameters<typeof formatInspection>[0] = {
  source: 'rows.jsonl',
  format: 'query',
  why: 'the rows have prompt as query',
  rows: 10_000,
  isAll: false,
  fates: { train: 9999, invalid: 1 },
  leftOut: [{ what: 'empty-answer', rows: 1, first: 'rows.jsonl:9:1 the answer is empty.' }],
  changes: [],
  warnings: ['columns that are not read'],
  columns: [
    { name: 'prompt', types: { text: 10_000 }, nulls: 0, readAs: 'query' },
    { name: 'note', types: { text: 9999 }, nulls: 0.0001, readAs: null },
  ],
  roles: { user: 2, assistant: 2 },
  turns: { least: 2, median: 2, nineOfTen: 2, most: 2 },
  characters: { least: 1, median: 20, nineOfTen: 900, most: 1000 },
  parts: {},
  samples: [
    {
      id: 'b'.repeat(64),
      messages: [
        {
          role: 'user',
          content: [
            { type: 'image', image: 'a.png' },
            { type: 'text', text: 'one\ntwo\u001b[31m\nthree\nfour' },
          ],
        },
        {
          role: 'assistant',
          content: null,
          reasoning_content: 'hm',
          tool_calls: [{ type: 'function', function: { name: 'f', arguments: { x: 1 } } }],
          weight: 2,
        },
      ],
      rejected: [{ role: 'assistant', content: 'no' }],
      extra: { note: 'x' },
      split: 'train',
      provenance,
    },
  ],
};

test('an inspection on paper', () => {
  const text = formatInspection(inspection, { colour: false, columns: 60 });
  expect(text).toBe(`rows.jsonl
format      query, because the rows have prompt as query
rows        10,000 looked at, of more: 9,999 usable, 1 invalid
roles       user 2, assistant 2
turns       all 2
characters  1 to 1,000, median 20, nine of ten up to 900

column  type  null  read as
prompt  text   0 %  query
note    text  <1 %  not read, kept

left out
  1 empty-answer: rows.jsonl:9:1 the answer is empty.

warning  columns that are not read

rows.jsonl:7  bbbbbbbbbbbb
user        <image a.png>one
            two\\u001b[31m
            three
            ... 36 characters
reasoning   hm
calls       f({"x":1})
rejected    no
extra       {"note":"x"}
`);
});

test('colours change nothing else, and long lines are broken', () => {
  const plain = formatInspection(inspection, { colour: false, columns: 30 });
  expect(stripVTControlCharacters(formatInspection(inspection, { colour: true, columns: 30 }))).toBe(plain);
  const samples = plain.slice(plain.indexOf('user  ')).split('\n');
  expect(Math.max(...samples.map((line) => line.length))).toBeLessThanOrEqual(32);
});
