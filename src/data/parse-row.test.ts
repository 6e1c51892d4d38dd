import { describe, expect, test } from 'vitest';
import { lineSplitter } from '../store/rows/raw-rows.ts';
import { parseRow } from './parse-row.ts';
import { rowNotes } from './row-notes.ts';

function parse(line: string | Buffer) {
  const splitter = lineSplitter();
  const [raw] = [...splitter.push(Buffer.from(line)), ...splitter.end()];
  if (!raw) throw new Error('no row');
  const notes = rowNotes({ file: 'rows.jsonl', line: 7 });
  return { row: parseRow(raw, notes), issues: notes.issues, changes: notes.changes };
}

describe('what JSON.parse refuses is placed and explained', () => {
  test.each<[string, number, RegExp, RegExp?]>([
    ['{"a": NaN}', 7, /NaN is not JSON/, /null/],
    ['{"a": -Infinity}', 7, /-Infinity is not JSON/, /finite/],
    ["{'a': 1}", 2, /where a key in double quotes should stand/],
    ['{"a": None}', 7, /None is not JSON/, /null/],
    ['{"a": True}', 7, /True is not JSON/, /true/],
    ['{"a": 1,}', 9, /where a key in double quotes should stand/],
    ['{"a": 1', 8, /the end of the row where "," or "}" should stand/],
    ['{"a" 1}', 6, /where ":" should stand/],
    ['{"a": [1 2]}', 10, /where "," or "]" should stand/],
    ['{"a": "b\tc"}', 7, /not closed or holds a control character/],
    ['{"a": 1} {"b": 2}', 10, /after the end of the row/, /one row a line/],
    ['{"a": }', 7, /where a value should stand/],
  ])('%s', (line, column, message, fix = /^$/) => {
    const { row, issues } = parse(line);
    expect(row).toBeNull();
    expect(issues).toHaveLength(1);
    expect(issues[0]).toMatchObject({ code: 'not-json', place: { file: 'rows.jsonl', line: 7, column } });
    expect(issues[0]?.message).toMatch(message);
    expect(issues[0]?.fix ?? '').toMatch(fix);
  });
});

describe('what JSON.parse lets pass is refused', () => {
  test.each<[string, string, string[]]>([
    ['{"a":1,"b":{"c":1,"d":[{"e":1,"e":2}]}}', 'duplicate-key', ['b', 'd', '0']],
    ['{"a\\u0062":1,"ab":":"}', 'duplicate-key', []],
    ['{"a\\"":1,"a\\"":2}', 'duplicate-key', []],
    ['{"a":"\\ud83d"}', 'lone-surrogate', ['a']],
    ['{"a":{"\\ude00":1}}', 'lone-surrogate', ['a', '\ude00']],
    ['{"a":[1e999]}', 'number-out-of-range', ['a', '0']],
  ])('%s', (line, code, path) => {
    const { row, issues } = parse(line);
    expect(row).toBeNull();
    expect(issues[0]?.code).toBe(code);
    expect(issues[0]?.path.map(String)).toEqual(path);
  });

  test('nesting without end', () => {
    const deep = (levels: number) => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`;
    expect(parse(deep(90)).row).not.toBeNull();
    expect(parse(deep(101)).issues[0]?.code).toBe('too-deep');
    expect(parse(deep(100_000)).issues[0]?.code).toBe('too-deep');
    expect(parse(`{"a":${'['.repeat(100_000)}}`).issues[0]?.code).toBe('not-json');
  });

  test('bytes that are not UTF-8, at the first bad one', () => {
    const bytes = Buffer.concat([Buffer.from('{"a":"ä\ufffd€'), Buffer.from([0xe4]), Buffer.from('"}')]);
    const { row, issues } = parse(bytes);
    expect(row).toBeNull();
    expect(issues[0]?.code).toBe('not-utf8');
    expect(issues[0]?.message).toContain(`byte ${bytes.indexOf(0xe4) + 1} `);
  });

  test('rows that are no objects', () => {
    for (const line of ['[1]', '3', '"a"', 'null']) expect(parse(line).issues[0]?.code).toBe('not-an-object');
  });
});

test('quotes, colons and backslashes inside strings are not mistaken for members', () => {
  const value = { 'a:"b': 'c":"d', 'e\\': '\\"', f: '\\\\":', g: [{}, { h: ':' }] };
  expect(parse(JSON.stringify(value))).toEqual({ row: value, issues: [], changes: [] });
});

test('numbers that do not keep their digits are noted', () => {
  expect(parse('{"id":12345678901234567890,"n":9007199254740992,"x":1.0,"messages":[{"weight":1.0}]}').changes).toEqual(
    ['id: 12345678901234567890 is read as 12345678901234567000'],
  );
});

describe('what a template prints is kept as text where an object would lose what it says', () => {
  const call = (given: string) => `{"messages":[{"tool_calls":[{"function":{"name":"f","arguments":${given}}}]}]}`;
  test.each(['{"x": 1.0}', '{"x":[{"y":-0.0}]}', '{"x":1e2}', '{"x":12345678901234567890}', '{"2":1, "1":2}'])(
    'arguments %s',
    (given) => {
      const { row, changes } = parse(call(given));
      expect(row).toEqual({ messages: [{ tool_calls: [{ function: { name: 'f', arguments: given } }] }] });
      expect(changes).toEqual([]);
    },
  );

  test.each(['{"x":1}', '{"x":1.5}', '{"x":9007199254740992}', '{"x":"1.0"}', '{"b":1,"a":2}'])('not %s', (given) => {
    expect(parse(call(given)).row).toEqual(JSON.parse(call(given)));
  });

  test('the definition that says it, and no other', () => {
    const { row } = parse('{"tools":[{"a":1},{"b":{"default":1.0}}]}');
    expect(row).toEqual({ tools: [{ a: 1 }, '{"b":{"default":1.0}}'] });
  });
});

test('a byte order mark belongs to the file, not to the row', () => {
  expect(parse('\ufeff{"a":1}').row).toEqual({ a: 1 });
});

test('__proto__ is a key like any other', () => {
  const { row } = parse('{"__proto__":{"x":1},"a":2}');
  expect(Object.keys(row ?? {})).toEqual(['__proto__', 'a']);
});
