import { hash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { arraySplitter, lineSplitter, type RawRow, type RowSplitter, readRawRows } from './raw-rows.ts';

const folder = mkdtempSync(join(tmpdir(), 'martlet-rows-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** All rows of a text that arrives in pieces of `size` bytes. */
function split(splitter: RowSplitter, text: string | Buffer, size = 1000): RawRow[] {
  const bytes = Buffer.from(text);
  const rows: RawRow[] = [];
  for (let at = 0; at < bytes.length; at += size) rows.push(...splitter.push(bytes.subarray(at, at + size)));
  return [...rows, ...splitter.end()];
}

const brief = (rows: readonly RawRow[]) =>
  rows.map(({ bytes, line, problem }) => [bytes?.toString() ?? null, line, ...(problem ? [problem] : [])]);

async function collect(rows: AsyncIterable<RawRow>): Promise<RawRow[]> {
  const all: RawRow[] = [];
  for await (const row of rows) all.push(row);
  return all;
}

async function read(name: string, content: string | Buffer, maxRowBytes?: number): Promise<RawRow[]> {
  const file = join(folder, name);
  writeFileSync(file, content);
  return collect(readRawRows(file, maxRowBytes === undefined ? {} : { maxRowBytes }));
}

describe('lines', () => {
  const text = '{"a":1}\n\n  \r\n{"b":"ä€😀"}\r\n{"c":3}';

  test('are rows with their number; blank lines only count', () => {
    expect(brief(split(lineSplitter(), text))).toEqual([
      ['{"a":1}', 1],
      ['{"b":"ä€😀"}', 4],
      ['{"c":3}', 5],
    ]);
  });

  test('are the same however the bytes are cut', () => {
    const whole = split(lineSplitter(), text);
    for (let size = 1; size < text.length; size++) expect(split(lineSplitter(), text, size)).toEqual(whole);
  });

  test('carry offset, length and hash of exactly their bytes', () => {
    const bytes = Buffer.from(text);
    for (const row of split(lineSplitter(), text, 3)) {
      const slice = bytes.subarray(row.offset, row.offset + row.length);
      expect(slice.equals(row.bytes ?? Buffer.alloc(0))).toBe(true);
      expect(row.sha256).toBe(hash('sha256', slice));
    }
  });

  test('past the limit are hashed and not kept, and the next line is whole', () => {
    const rows = split(lineSplitter(10), `${'x'.repeat(50)}\n{"a":1}\n`, 4);
    expect(brief(rows)).toEqual([
      [null, 1, 'too-long'],
      ['{"a":1}', 2],
    ]);
    expect(rows[0]).toMatchObject({ length: 50, sha256: hash('sha256', 'x'.repeat(50)) });
  });
});

describe('a JSON array', () => {
  const text = ' [ {"a":"],[\\"}{"} ,\n\n {"b":[1,{"c":2}]}\n,{"d":"\\\\"}\n]\n ';

  test('gives its elements with the line they begin on', () => {
    expect(brief(split(arraySplitter(), text))).toEqual([
      ['{"a":"],[\\"}{"}', 1],
      ['{"b":[1,{"c":2}]}', 3],
      ['{"d":"\\\\"}', 4],
    ]);
  });

  test('is the same however the bytes are cut', () => {
    const whole = split(arraySplitter(), text);
    for (let size = 1; size < text.length; size++) expect(split(arraySplitter(), text, size)).toEqual(whole);
  });

  test('carries the offset of each element', () => {
    const bytes = Buffer.from(text);
    for (const row of split(arraySplitter(), text, 5))
      expect(hash('sha256', bytes.subarray(row.offset, row.offset + row.length))).toBe(row.sha256);
  });

  test.each<[string, string, (string | number | null)[][]]>([
    ['empty', '[]', []],
    [
      'a trailing comma',
      '[{},\n]',
      [
        ['{}', 1],
        ['', 2, 'empty-element'],
      ],
    ],
    [
      'two commas',
      '[{},,{}]',
      [
        ['{}', 1],
        ['', 1, 'empty-element'],
        ['{}', 1],
      ],
    ],
    ['a missing comma', '[{} {}]', [['{} {}', 1]]],
    [
      'cut off inside a row',
      '[{},\n{"a":',
      [
        ['{}', 1],
        ['{"a":', 2, 'unclosed-array'],
      ],
    ],
    [
      'cut off between rows',
      '[{},\n',
      [
        ['{}', 1],
        ['', 2, 'unclosed-array'],
      ],
    ],
    [
      'more text behind it',
      '[{}]\n{"a":1}\n',
      [
        ['{}', 1],
        ['{"a":1}', 2, 'after-array'],
      ],
    ],
  ])('%s', (_, source, rows) => {
    expect(brief(split(arraySplitter(), source))).toEqual(rows);
    expect(brief(split(arraySplitter(), source, 1))).toEqual(rows);
  });
});

describe('a file', () => {
  test('is an array or lines by its first character, and always lines when named .jsonl', async () => {
    expect(brief(await read('a.json', '\ufeff\n[{},{}]'))).toHaveLength(2);
    expect(brief(await read('b.json', '{}\n{}\n{}'))).toHaveLength(3);
    expect(brief(await read('c.jsonl', '[1,2]\n[3]'))).toEqual([
      ['[1,2]', 1],
      ['[3]', 2],
    ]);
    expect(await read('empty.jsonl', '')).toEqual([]);
  });

  test.each<[string, number[]]>([
    ['gzip', [0x1f, 0x8b, 8, 0]],
    ['Zstandard', [0x28, 0xb5, 0x2f, 0xfd]],
    ['Parquet', [...Buffer.from('PAR1')]],
    ['UTF-16', [0xff, 0xfe, 0x7b, 0]],
  ])('of kind %s is refused with the way out', async (kind, start) => {
    await expect(read('foreign.jsonl', Buffer.from(start))).rejects.toMatchObject({
      code: 'source-unsupported',
      message: expect.stringContaining(kind),
      hint: expect.stringMatching(/./),
    });
  });

  test('that is not there, or is a folder, is named', async () => {
    await expect(collect(readRawRows(join(folder, 'none')))).rejects.toThrow(/cannot read .*none/);
    await expect(collect(readRawRows(folder))).rejects.toThrow(/is not a file/);
  });

  test('gives the same rows through a buffer that is used again', async () => {
    const text = Array.from({ length: 50 }, (_, index) => `{"row":${index},"text":"${'x'.repeat(index % 17)}"}`);
    for (const [name, content] of [
      ['reused.jsonl', text.join('\n')],
      ['reused.json', `[${text.join(',\n')}]`],
    ] as const) {
      writeFileSync(join(folder, name), content);
      const seen: string[] = [];
      for await (const row of readRawRows(join(folder, name), { chunkBytes: 37 })) seen.push(String(row.bytes));
      expect(seen).toEqual(text);
    }
  });

  test('stops when asked to', async () => {
    writeFileSync(join(folder, 'long.jsonl'), '{}\n'.repeat(1000));
    const stop = new AbortController();
    const rows = readRawRows(join(folder, 'long.jsonl'), { signal: stop.signal, chunkBytes: 30 });
    await rows.next();
    stop.abort();
    await expect(collect(rows)).rejects.toThrow(/abort/i);
  });
});
